/** What an operator can do to a running daemon's pipeline, whoever asks: each answers what it changed. */
import { formatPosition } from '../model/position.ts';
import type { SnapshotAction } from '../capture/snapshot-state.ts';
import { copyState } from '../capture/snapshot-state.ts';
import { RowferryError } from '../errors.ts';
import type { LogSettings } from '../config/config.ts';
import type { MeasureName, MeasureReport } from '../observe/alerts/measures.ts';
import { didYouMean } from '../model/suggest.ts';
import type { RunningDaemon } from './daemon.ts';
import type { DaemonStatus } from './daemon-status.ts';
import type { ParkedFilter } from './parked.ts';
import { needAll, withParked } from './parked.ts';
import type { PauseChange } from './pauses.ts';
import { pauseParts, setPauses } from './pauses.ts';
import type { AcknowledgeRequest } from './acknowledge.ts';
import { acknowledgeStatement } from './acknowledge.ts';
import type { ReplayRequest } from './positions.ts';
import { requestReplay, savedPositions } from './positions.ts';
import { requestSnapshot } from './snapshots.ts';

interface OperatorResult {
  readonly changes: readonly { readonly part: string; readonly from: string; readonly to: string }[];
  readonly counts?: Readonly<Record<string, number>>;
}

interface PauseRequest {
  readonly role: 'all' | 'apply' | 'capture';
  readonly source?: string | undefined;
}

interface SilenceRequest {
  /** Null for every rule. */
  readonly rule: string | null;
  /** Labels that an alert must carry; none for any. */
  readonly labels: Readonly<Record<string, string>>;
  readonly forMs: number;
  readonly reason: string;
}

function waitingParts({ captures, partitions, outages }: DaemonStatus): number {
  const parts = [
    ...captures.filter(({ nextTryMs }) => nextTryMs !== null).map(({ source }) => `capture ${source}`),
    ...partitions
      .filter(({ nextTryMs }) => nextTryMs !== null)
      .map(({ topic, partition }) => `${topic}/${partition}`),
    ...outages.map(({ part }) => part),
  ];
  return new Set(parts).size;
}

/** Undefined fields count as left out. */
type Filter = { readonly [K in keyof ParkedFilter]: ParkedFilter[K] | undefined };

export class Operator {
  readonly #daemon: RunningDaemon;

  constructor(daemon: RunningDaemon) {
    this.#daemon = daemon;
  }

  /**
   * Durable, for every process of the pipeline; the threads of this one look at once. Resuming makes the parts of this process
   * that wait for their next try make it now, paused or not: `counts.waited` says how many.
   */
  async setPause(
    { role, source }: PauseRequest,
    paused: boolean,
    by: string,
    signal: AbortSignal,
  ): Promise<OperatorResult> {
    const { config } = this.#daemon;
    const changes: PauseChange[] = await setPauses(
      config,
      pauseParts(config, role, source),
      paused,
      by,
      signal,
    );
    this.#daemon.command({ type: 'look' });
    if (paused) return { changes };
    const waited = waitingParts(this.#daemon.status);
    this.#daemon.command({ type: 'try' });
    return { changes, counts: { waited } };
  }

  async replay(
    source: string | undefined,
    request: ReplayRequest,
    signal: AbortSignal,
  ): Promise<OperatorResult> {
    const { config } = this.#daemon;
    const before = await savedPositions(config, source, signal);
    const answer = await requestReplay(config, source, request, signal);
    const saved = before.find((found) => found.source === answer.source)?.state;
    const was = saved === undefined || saved.position === null ? 'nothing' : formatPosition(saved.position);
    return {
      changes: [
        {
          part: `capture ${answer.source}`,
          from: `${was}, epoch ${saved?.epoch ?? 0}`,
          to: `${formatPosition(answer.position)}, epoch ${answer.epoch}`,
        },
      ],
    };
  }

  async retryParked(filter: Filter, signal: AbortSignal): Promise<OperatorResult> {
    const counts = { healed: 0, waits: 0, gone: 0, stale: 0 };
    await this.#withParked(filter, signal, async (entries, away) => {
      for (const { target, entry } of entries) counts[await target.retryParked(entry, null, signal)] += 1;
      // Those of the others have been tried.
      needAll(away);
    });
    const all = counts.healed + counts.waits + counts.gone + counts.stale;
    return {
      changes: [{ part: 'parked rows', from: String(all), to: String(counts.waits + counts.stale) }],
      counts,
    };
  }

  /** `expect` is how many rows the caller knows of: with another number nothing is dropped. */
  async dropParked(filter: Filter, expect: number, signal: AbortSignal): Promise<OperatorResult> {
    let dropped = 0;
    await this.#withParked(filter, signal, async (entries, away) => {
      needAll(away);
      if (entries.length !== expect) {
        throw new RowferryError(
          'ROWFERRY_CONFIG_INVALID',
          `${entries.length} rows are parked, not ${expect}`,
          {
            hint: 'look again at what is parked, then give that number',
          },
        );
      }
      for (const { target, entry } of entries) if (await target.dropParked(entry)) dropped += 1;
    });
    return {
      changes: [{ part: 'parked rows', from: String(expect), to: String(expect - dropped) }],
      counts: { dropped },
    };
  }

  async snapshot(
    action: SnapshotAction,
    source: string | undefined,
    table: string | null,
    by: string,
    signal: AbortSignal,
  ): Promise<OperatorResult> {
    const asked = await requestSnapshot(this.#daemon.config, source, { action, table }, signal, by);
    const to = `${action} asked for`;
    const before = asked.copies.map((copy) => ({ table: copy.table, from: copyState(copy) }));
    const tables = table !== null && before.length === 0 ? [{ table, from: 'not copied' }] : before;
    return {
      changes: tables.map(({ table, from }) => ({ part: `copy ${asked.source} ${table}`, from, to })),
    };
  }

  async acknowledge(
    source: string | undefined,
    request: AcknowledgeRequest,
    signal: AbortSignal,
  ): Promise<OperatorResult> {
    const { statement } = request;
    const { source: name } = await acknowledgeStatement(this.#daemon.config, source, request, signal);
    return {
      changes: [{ part: `capture ${name}`, from: `stops at ${statement}`, to: `passes ${statement}` }],
    };
  }

  /** Keeps alerts of this process quiet for a while. `counts.id` is what ends it early. */
  silenceAlerts({ rule, labels, forMs, reason }: SilenceRequest): OperatorResult {
    const { config, alerts, status } = this.#daemon;
    const names = config.alerts.rules.map(({ name }) => name);
    if (rule !== null && !names.includes(rule)) {
      throw new RowferryError('ROWFERRY_CONFIG_INVALID', `${rule} is no rule${didYouMean(rule, names)}`, {
        hint: 'GET /api/alerts lists the rules; null means all of them',
      });
    }
    const untilMs = status.timeMs + forMs;
    const id = alerts.silence({ rule, labels, forMs, reason });
    const part = `alerts of ${rule ?? 'every rule'}`;
    const to = `silent until ${new Date(untilMs).toISOString()}`;
    return { changes: [{ part, from: 'told', to }], counts: { id } };
  }

  endSilence(id: number): OperatorResult {
    if (!this.#daemon.alerts.endSilence(id)) {
      throw new RowferryError('ROWFERRY_CONFIG_INVALID', `there is no silence ${id}`, {
        hint: 'GET /api/alerts lists those that are in force',
      });
    }
    return { changes: [{ part: `silence ${id}`, from: 'in force', to: 'over' }] };
  }

  /** What another program has measured; all of it counts, or none. */
  report(measures: readonly MeasureReport[], by: string): OperatorResult {
    return { changes: this.#daemon.alerts.report(measures, by) };
  }

  withdraw(measures: readonly MeasureName[]): OperatorResult {
    return { changes: this.#daemon.alerts.withdraw(measures) };
  }

  setLogLevel(level: LogSettings['level']): OperatorResult {
    const { log } = this.#daemon;
    const from = log.getLevel();
    log.setLevel(level);
    this.#daemon.command({ type: 'log-level', level });
    return { changes: [{ part: 'log', from, to: level }] };
  }

  async #withParked(
    { target, table }: Filter,
    signal: AbortSignal,
    work: Parameters<typeof withParked>[3],
  ): Promise<void> {
    const filter = {
      ...(target === undefined ? {} : { target }),
      ...(table === undefined ? {} : { table }),
    };
    await withParked(this.#daemon.config, filter, signal, work);
  }
}
