/** The Target port over any engine: everything that is not SQL. */
import type { ConnectionPool } from '../drivers/connection-pool.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import type { Table } from '../model/table.ts';
import { OutdatedRows } from './outdated-rows.ts';
import { parkedRef } from './parked-record.ts';
import { placeRow } from './place-row.ts';
import type { Engine, ParkedRecord, Session } from './session.ts';
import { tableWriter } from './table-writer.ts';
import type {
  CatalogQuery,
  ParkedEntry,
  PartitionId,
  TableWriter,
  Target,
  TargetTable,
  TruncateId,
  Truncation,
  Watermark,
  WriteBatch,
  WriteResult,
} from './target.ts';
import { Transactions } from './transactions.ts';
import { publicWatermark, writeBatch } from './write-batch.ts';

interface DatabaseTargetOptions {
  readonly name: string;
  readonly engine: Engine;
  readonly pool: ConnectionPool<Session>;
  /** For changes of tables: a statement may take as long as it takes. */
  readonly patientPool: ConnectionPool<Session>;
  readonly retryBudgetMs: number;
  readonly log: Log;
}

type ClaimResult = Awaited<ReturnType<Target['claim']>>;
type RetryResult = Awaited<ReturnType<Target['retryParked']>>;

export class DatabaseTarget implements Target {
  readonly name: string;
  readonly kind: 'mysql' | 'postgres';
  readonly #engine: Engine;
  readonly #pool: ConnectionPool<Session>;
  readonly #patientPool: ConnectionPool<Session>;
  readonly #transactions: Transactions;
  readonly #changes: Transactions;
  readonly #closing = new AbortController();

  constructor({ name, engine, pool, patientPool, log, retryBudgetMs }: DatabaseTargetOptions) {
    this.name = name;
    this.kind = engine.kind;
    this.#engine = engine;
    this.#pool = pool;
    this.#patientPool = patientPool;
    this.#transactions = new Transactions({ target: name, pool, log, retryBudgetMs });
    this.#changes = new Transactions({ target: name, pool: patientPool, log, retryBudgetMs });
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.#transactions.run({ run: ({ session }) => session.prepareControlTables() }, signal);
  }

  async describe(tables: readonly string[]): Promise<ReadonlyMap<string, TargetTable>> {
    return this.#read((session) => session.describe(tables));
  }

  writer(source: Table, target: TargetTable): TableWriter {
    return tableWriter(this.#engine, this.name, source, target);
  }

  async watermarks(): Promise<readonly Watermark[]> {
    return this.#read(async (session) => (await session.listWatermarks()).map(publicWatermark));
  }

  async claim(id: PartitionId, owner: number): Promise<ClaimResult> {
    const outcome = async (session: Session, mine: (writeId: string) => boolean): Promise<ClaimResult> => {
      const found = await session.findWatermark(id, 'look');
      if (found === undefined) throw noWatermark(this.name, id);
      return mine(found.writeId ?? '')
        ? { kind: 'mine', watermark: publicWatermark(found) }
        : { kind: 'lost', owner: found.owner };
    };
    return this.#transactions.run<ClaimResult>(
      {
        run: async ({ session, writeId, unanswered }) => {
          await session.begin();
          await session.claimWatermark(id, owner, writeId);
          const claimed = await outcome(session, (by) => by === writeId || unanswered.has(by));
          await session.commit();
          return claimed;
        },
        settle: async ({ session, unanswered }) => {
          const found = await session.findWatermark(id, 'look');
          await session.rollback();
          if (found === undefined || !unanswered.has(found.writeId ?? '')) return undefined;
          return { kind: 'mine', watermark: publicWatermark(found) };
        },
      },
      this.#closing.signal,
    );
  }

  async write(batch: WriteBatch, signal: AbortSignal): Promise<WriteResult> {
    return writeBatch(this.#transactions, batch, signal);
  }

  async parked(id?: PartitionId): Promise<readonly ParkedEntry[]> {
    return this.#read((session) => session.listParked(id));
  }

  async retryParked(entry: ParkedEntry, owner: number | null, signal: AbortSignal): Promise<RetryResult> {
    const ref = parkedRef(entry, entry.table, entry.key, entry.origin);
    return this.#transactions.run<RetryResult>(
      {
        run: async ({ session, unanswered }) => {
          await session.begin();
          const result = await this.#heal(session, entry, owner);
          if (result === 'gone' || result === 'stale') await session.rollback();
          else await session.commit();
          // An attempt of ours whose COMMIT got no answer may be what took the entry away.
          return result === 'gone' && unanswered.size > 0 ? 'healed' : result;
        },
        settle: async ({ session }) => {
          await session.begin();
          const found = await session.lockParked(ref);
          await session.rollback();
          return found === undefined ? 'healed' : undefined;
        },
      },
      signal,
    );
  }

  async dropParked(entry: ParkedEntry): Promise<boolean> {
    return this.#transactions.run(
      {
        run: async ({ session, unanswered }) => {
          await session.begin();
          const count = await session.deleteParked([parkedRef(entry, entry.table, entry.key, entry.origin)]);
          await session.commit();
          return count > 0 || unanswered.size > 0;
        },
      },
      this.#closing.signal,
    );
  }

  async catalog<T>(read: (query: CatalogQuery) => Promise<T>): Promise<T> {
    return this.#read((session) => read((sql) => session.query(sql)));
  }

  async changeTables<T>(work: (run: CatalogQuery) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#patiently((session) => session.changeTables(work), signal);
  }

  async isTruncated(id: TruncateId): Promise<boolean> {
    return this.#read((session) => session.isTruncated(id));
  }

  async truncations(topic: string): Promise<readonly TruncateId[]> {
    return this.#read((session) => session.listTruncations(topic));
  }

  async truncate(truncation: Truncation, signal: AbortSignal): Promise<'now' | 'before'> {
    return this.#patiently((session) => session.truncate(truncation), signal);
  }

  /** A statement may take a day, and whoever stops does not wait for its end: it leaves the session to the server. */
  async #patiently<T>(work: (session: Session) => Promise<T>, signal: AbortSignal): Promise<T> {
    const run = async (session: Session): Promise<T> => {
      signal.throwIfAborted();
      let stop = (): void => {};
      const stopped = new Promise<never>((_, reject) => {
        stop = () => {
          session.destroy();
          reject(new RowferryError('ROWFERRY_TARGET_LINK', 'stopped while a table was changed'));
        };
        signal.addEventListener('abort', stop, { once: true });
      });
      try {
        return await Promise.race([work(session), stopped]);
      } finally {
        signal.removeEventListener('abort', stop);
      }
    };
    return this.#changes.run({ run: ({ session }) => run(session) }, signal);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#pool.close(), this.#patientPool.close()]);
  }

  /** P4 but for COMMIT: watermark, entry and row are locked in this order, as `write` does. */
  async #heal(session: Session, entry: ParkedEntry, owner: number | null): Promise<RetryResult> {
    if (owner !== null) {
      const watermark = await session.findWatermark(entry, 'lock');
      if (watermark?.owner !== owner) return 'stale';
    }
    const ref = parkedRef(entry, entry.table, entry.key, entry.origin);
    const record = await session.lockParked(ref);
    if (record === undefined) return 'gone';
    const writer = await this.#parkedWriter(session, record);
    await session.deleteRows(writer, [record.key]);
    const row = { key: record.key, row: record.image, sequence: record.sequence };
    const refusal = await placeRow(session, new OutdatedRows(session), writer, row);
    if (refusal !== undefined) {
      const { detail } = refusal;
      // What it waits for may have become a row of another source, which an operator has to know.
      if (writer.origin === undefined || detail === record.detail) await session.countParkedAttempt(ref);
      else await session.insertParked({ ...record, detail, attempts: record.attempts + 1 });
      return 'waits';
    }
    await session.deleteParked([ref]);
    return 'healed';
  }

  async #parkedWriter(session: Session, { table, shape }: ParkedRecord): Promise<TableWriter> {
    const described = (await session.describe([table])).get(table);
    if (described !== undefined) return this.writer(shape, described);
    throw new RowferryError('ROWFERRY_TARGET_SCHEMA', `a parked row waits for a table that is gone`, {
      where: { target: this.name, table },
      hint: 'create the table again, or drop the parked entry',
    });
  }

  /** Reads outside of any transaction that matters. */
  async #read<T>(query: (session: Session) => Promise<T>): Promise<T> {
    return this.#transactions.run(
      {
        run: async ({ session }) => {
          try {
            return await query(session);
          } finally {
            if (session.isUsable) await session.rollback();
          }
        },
      },
      this.#closing.signal,
    );
  }
}

function noWatermark(target: string, { topic, partition }: PartitionId): RowferryError {
  return toRowferryError(
    new RowferryError('ROWFERRY_INVARIANT', 'a watermark that was just written is not there', {
      where: { target, topic, partition },
    }),
    'claiming a partition',
  );
}
