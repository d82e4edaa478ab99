/** A topic in memory whose partitions are applied to real targets by real workers. */
import { onTestFinished } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { ApplyCounters } from '../../src/apply/apply-counters.ts';
import { Gate } from '../../src/runtime/gate.ts';
import { Outages } from '../../src/runtime/outages.ts';
import { PartitionLag } from '../../src/apply/partition-lag.ts';
import { PartitionWorker } from '../../src/apply/partition-worker.ts';
import { TableEvolver } from '../../src/apply/table-evolver.ts';
import { TableLocks } from '../../src/apply/table-locks.ts';
import { ownReader } from '../../src/apply/topic-reader.ts';
import type { RowferryError } from '../../src/errors.ts';
import { toRowferryError } from '../../src/errors.ts';
import type { Change } from '../../src/model/change.ts';
import type { AdditiveStep, ColumnDefinition, SchemaChange } from '../../src/model/schema-change.ts';
import type { Row, Table } from '../../src/model/table.ts';
import { Router } from '../../src/routing/router.ts';
import type { RouteRule } from '../../src/routing/router.ts';
import type { Target } from '../../src/targets/target.ts';
import { ChunkBuilder } from '../../src/wire/chunk.ts';
import { encodeMarker } from '../../src/wire/marker.ts';
import type { RawRecord } from '../../src/wire/raw-record.ts';
import { silentLog } from '../contract/target-fixture.ts';

export const TOPIC = 'shop.changes';

/** A column that a statement of the source adds or widens. */
export function column(name: string, type: string, more: Partial<ColumnDefinition> = {}): ColumnDefinition {
  return { name, type, charset: null, collation: null, nullable: true, default: null, comment: '', ...more };
}

export function altered(...steps: readonly AdditiveStep[]) {
  return { kind: 'additive', schema: 'shop', table: 'item', steps } as const;
}

export class MemoryTopic {
  readonly partitions: readonly RawRecord[][];
  readonly #listeners = new Set<() => void>();

  constructor(partitions: number) {
    this.partitions = Array.from({ length: partitions }, () => []);
  }

  /** Rows that are inserted, or with `null` behind them deleted; each has the end position that it is given. */
  rows(partition: number, table: Table, rows: readonly Row[], at: { readonly epoch?: number; readonly end: number }): void {
    const builder = new ChunkBuilder({ epoch: at.epoch ?? 1, incarnation: 0 });
    for (const [i, after] of rows.entries()) {
      const change: Change = { table, before: null, after, timeMs: 1, sequence: { file: 1, end: at.end, half: i } };
      builder.add(change);
    }
    this.#append(partition, builder.take());
  } // prettier-ignore

  /** To every partition, as capture broadcasts; `ends` of a TRUNCATE are where the partitions end now. */
  change(change: WithoutEnds, end: number, options: { readonly epoch?: number; readonly ends?: readonly number[]; readonly only?: number } = {}): void {
    const ends = options.ends ?? this.ends();
    const full: SchemaChange = change.kind === 'truncate' ? { ...change, ends } : change;
    const value = encodeMarker({ kind: 'schema', epoch: options.epoch ?? 1, incarnation: 0, horizonMs: 1, sentMs: 1, position: `binlog.000001:${end}`, change: full });
    for (const partition of this.partitions.keys())
      if (options.only === undefined || options.only === partition) this.#append(partition, value);
  } // prettier-ignore

  ends(): number[] {
    return this.partitions.map((records) => records.length);
  }

  /** Calls back when there are more records; answers how to stop. */
  onMore(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #append(partition: number, value: Buffer): void {
    const records = this.partitions[partition]!;
    records.push({ offset: records.length, key: null, value, headers: {} });
    for (const listener of this.#listeners) listener();
  }
}

type WithoutEnds =
  | Extract<SchemaChange, { readonly kind: 'additive' }>
  | Omit<Extract<SchemaChange, { readonly kind: 'truncate' }>, 'ends'>;

export interface RunningWorker {
  readonly worker: PartitionWorker;
  /** Its error once it stopped by one. */
  readonly error: () => RowferryError | undefined;
  stop(): Promise<void>;
}

/** One process: what its workers share. */
export class AppliersProcess {
  readonly #topic: MemoryTopic;
  readonly #targets: readonly Target[];
  readonly #router: Router;
  readonly #locks = new TableLocks();
  readonly #evolver = new TableEvolver(silentLog);

  constructor(topic: MemoryTopic, targets: readonly Target[], rules: readonly RouteRule[]) {
    this.#topic = topic;
    this.#targets = targets;
    this.#router = new Router(rules, targets.map(({ name }) => name)); // prettier-ignore
  }

  start(partition: number): RunningWorker {
    const records = this.#topic.partitions[partition]!;
    const stopping = new AbortController();
    let sent: number | undefined;
    const deliver = (): void => {
      if (sent === undefined) return;
      const more = records.slice(sent);
      sent = records.length;
      worker.push(more);
    };
    const worker = new PartitionWorker({
      id: { topic: TOPIC, partition },
      targets: this.#targets,
      router: this.#router.of('shop'),
      reader: ownReader(),
      limits: { rows: 1000, bytes: 1e9 },
      queueBytes: 1e9,
      onBadRow: 'stop',
      locks: this.#locks,
      evolver: this.#evolver,
      gate: new Gate(),
      counters: new ApplyCounters(),
      outages: new Outages({ maxMs: 30_000, log: silentLog }),
      lag: new PartitionLag(1_000),
      log: silentLog,
      feed: {
        seek: (offset) => {
          sent = offset;
          queueMicrotask(deliver);
        },
        pause: () => {},
        resume: () => {},
        commitHint: () => {},
        position: () => sent,
        bounds: () => Promise.resolve({ low: 0, high: records.length }),
      },
    });
    const unlisten = this.#topic.onMore(deliver);
    let error: RowferryError | undefined;
    const running = worker.run(stopping.signal).catch((thrown: unknown) => {
      error = toRowferryError(thrown, 'applying');
    });
    const stop = async (): Promise<void> => {
      unlisten();
      stopping.abort();
      await running;
    };
    onTestFinished(stop);
    return { worker, error: () => error, stop };
  }
}

/** Waits until the target has applied so much of a partition. */
export async function reached(target: Target, partition: number, next: number): Promise<void> {
  await waitUntil(
    async () => (await target.watermarks()).some((mark) => mark.partition === partition && mark.next >= next),
    { what: `partition ${partition} to reach ${next}` },
  );
}

export function routeTo(target: string | readonly string[], more: Partial<RouteRule> = {}): RouteRule {
  return {
    takes: (schema, table) => (schema === 'shop' && table === 'item' ? [] : undefined),
    sources: null,
    to: 'item',
    layout: { targets: typeof target === 'string' ? [target] : target, shards: null, tables: null },
    columns: null,
    ...more,
  };
}
