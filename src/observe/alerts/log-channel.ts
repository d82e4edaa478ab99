import type { Log } from '../../model/log.ts';
import type { Channel } from './channel.ts';
import { runbookOf } from './default-rules.ts';
import { messageOf } from './delivery.ts';
import type { Delivery } from './delivery.ts';

/** Writes alerts to the log, a line each. */
export class LogChannel implements Channel {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  async send({ notices }: Delivery): Promise<void> {
    for (const notice of notices) {
      const { kind, alert } = notice;
      const runbook = runbookOf(alert.rule);
      const help = runbook === null ? {} : { runbook };
      const fields = {
        alert: alert.rule,
        severity: alert.level,
        labels: alert.labels,
        value: alert.value,
        ...help,
      };
      const text = `${alert.rule} ${kind === 'repeated' ? 'still firing' : kind}: ${messageOf(notice)}`;
      if (kind === 'resolved') this.#log.info(fields, text);
      else if (alert.level === 'warning') this.#log.warn(fields, text);
      else this.#log.error(fields, text);
    }
  }
}
