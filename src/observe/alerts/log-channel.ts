import type { Log } from '../../model/log.ts';
import type { Channel } from './channel.ts';
import type { Delivery } from './delivery.ts';

/** Writes alerts to the log, a line each. */
export class LogChannel implements Channel {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  async send({ notices, leftOff }: Delivery): Promise<void> {
    for (const { kind, alert } of notices) {
      const fields = { alert: alert.rule, severity: alert.level, labels: alert.labels, value: alert.value };
      const text = `${alert.rule} ${kind === 'repeated' ? 'still firing' : kind}: ${alert.message}`;
      if (kind === 'resolved') this.#log.info(fields, text);
      else if (alert.level === 'warning') this.#log.warn(fields, text);
      else this.#log.error(fields, text);
    }
    if (leftOff > 0) this.#log.warn({}, `${leftOff} more alerts at the same moment`);
  }
}
