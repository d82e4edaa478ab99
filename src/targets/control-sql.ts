/**
 * SQL of the control tables `rowferry_watermark`, `rowferry_parked` and `rowferry_truncated`, the same in both engines but for quoting and the form
 * of an upsert. Pure.
 */
import { RowferryError } from '../errors.ts';
import type { Table, WireValue } from '../model/table.ts';
import { keyHash, rowKeyText } from './parked-record.ts';
import type { ParkedRecord, ParkedRef, StoredWatermark } from './session.ts';
import type { ParkedEntry, ParkReason, PartitionId, TruncateId, WriteBatch } from './target.ts';

/** Version of the control tables, kept in their comments. */
const CONTROL_VERSION = 1;
export const CONTROL_COMMENT = `rowferry control table, version ${CONTROL_VERSION}`;

/** Refuses tables of another version: they may mean something else by the same names. */
export function checkControlVersion(comments: readonly (string | null)[]): void {
  if (comments.every((comment) => comment === CONTROL_COMMENT)) return;
  throw new RowferryError(
    'ROWFERRY_CONFIG_STATE_MISMATCH',
    'the control tables rowferry_… are of another version',
    {
      hint: `this rowferry knows version ${CONTROL_VERSION}: run the version that wrote them, or give it a database of its own`,
    },
  );
}

export interface ControlDialect {
  name(identifier: string): string;
  text(value: string): string;
  /** Ends an INSERT such that an existing row with this key stays (`columns` empty) or takes the new values. */
  onExisting(key: readonly string[], columns: readonly string[]): string;
}

type Row = Readonly<Record<string, string | null>>;

/** Of a parked entry, what is shown: whoever lists entries does not want to read rows. */
const LISTED =
  'topic partition target_table row_key source_table epoch file end half reason detail attempts parked_at'.split(
    ' ',
  );

const WATERMARK = 'rowferry_watermark';
const PARKED = 'rowferry_parked';
const WATERMARK_KEY = ['pipeline', 'topic', 'partition'];
const TRUNCATED = 'rowferry_truncated';
const TRUNCATED_KEY = ['pipeline', 'topic', 'source_table'];
const PARKED_KEY = ['pipeline', 'topic', 'partition', 'target_table', 'key_hash'];

export class ControlSql {
  readonly #dialect: ControlDialect;
  readonly #pipeline: string;

  constructor(dialect: ControlDialect, pipeline: string) {
    this.#dialect = dialect;
    this.#pipeline = pipeline;
  }

  /** Matches no row when owner or `next` are not as expected. */
  saveWatermark({ id, owner, expectNext, save }: WriteBatch, writeId: string): string {
    const sets: string[] = [];
    if (save.kind === 'planned') {
      const planned = this.#name('planned_end');
      sets.push(`${planned} = GREATEST(COALESCE(${planned}, 0), ${integer(save.plannedEnd)})`);
    } else {
      const { epoch, file, end, half } = save.sequence;
      sets.push(
        `${this.#name('next')} = ${integer(save.next)}`,
        `${this.#name('planned_end')} = NULL`,
        ...this.#assign({ epoch, file, end, half }),
      );
      if (save.sourceTimeMs !== null) sets.push(...this.#assign({ source_time_ms: save.sourceTimeMs }));
    }
    sets.push(...this.#touch(writeId));
    const guard = `${this.#name('owner')} = ${integer(owner)} AND ${this.#name('next')} = ${integer(expectNext)}`;
    return `UPDATE ${WATERMARK} SET ${sets.join(', ')} WHERE ${this.#partition(id)} AND ${guard}`;
  }

  createWatermark({ topic, partition }: PartitionId): string {
    const values = {
      pipeline: this.#pipeline,
      topic,
      partition,
      owner: 0,
      next: 0,
      epoch: 0,
      file: 0,
      end: 0,
      half: 0,
    };
    return `${this.#insert(WATERMARK, values)} ${this.#dialect.onExisting(WATERMARK_KEY, [])}`;
  }

  claimWatermark(id: PartitionId, owner: number, writeId: string): string {
    const sets = [...this.#assign({ owner }), ...this.#touch(writeId)];
    const guard = `${this.#name('owner')} < ${integer(owner)}`;
    return `UPDATE ${WATERMARK} SET ${sets.join(', ')} WHERE ${this.#partition(id)} AND ${guard}`;
  }

  findWatermark(id: PartitionId, lock: 'lock' | 'look'): string {
    return `SELECT * FROM ${WATERMARK} WHERE ${this.#partition(id)}${lock === 'lock' ? ' FOR UPDATE' : ''}`;
  }

  listWatermarks(): string {
    const order = `${this.#name('topic')}, ${this.#name('partition')}`;
    return `SELECT * FROM ${WATERMARK} WHERE ${this.#ours()} ORDER BY ${order}`;
  }

  insertParked(record: ParkedRecord): string {
    const { topic, partition, sequence, key, origin } = record;
    const values = {
      pipeline: this.#pipeline,
      topic,
      partition,
      target_table: record.table,
      key_hash: keyHash(key, origin),
      row_key: rowKeyText(key, origin),
      source_table: record.sourceTable,
      source_shape: JSON.stringify(record.shape),
      image: JSON.stringify(record.image),
      epoch: sequence.epoch,
      file: sequence.file,
      end: sequence.end,
      half: sequence.half,
      reason: record.reason,
      detail: record.detail,
      attempts: record.attempts,
      parked_at: timeText(record.parkedAtMs),
    };
    const changed = Object.keys(values).filter((column) => !PARKED_KEY.includes(column));
    return `${this.#insert(PARKED, values)} ${this.#dialect.onExisting(PARKED_KEY, changed)}`;
  }

  listParked(id: PartitionId | undefined): string {
    const where = id === undefined ? this.#ours() : this.#partition(id);
    const columns = LISTED.map((column) => this.#name(column));
    return `SELECT ${columns.join(', ')} FROM ${PARKED} WHERE ${where} ORDER BY ${this.#name('parked_at')}, ${this.#name('key_hash')}`;
  }

  parkedKeys(table: string): string {
    const columns = ['topic', 'partition', 'key_hash', 'row_key'].map((column) => this.#name(column));
    const where = `${this.#ours()} AND ${this.#equals('target_table', table)}`;
    return `SELECT ${columns.join(', ')} FROM ${PARKED} WHERE ${where}`;
  }

  lockParked(ref: ParkedRef): string {
    return `SELECT * FROM ${PARKED} WHERE ${this.#parkedAre([ref])} FOR UPDATE`;
  }

  parkedSince(refs: readonly ParkedRef[]): string {
    return `SELECT ${this.#name('key_hash')}, ${this.#name('parked_at')} FROM ${PARKED} WHERE ${this.#parkedAre(refs)} FOR UPDATE`;
  }

  countParkedAttempt(ref: ParkedRef): string {
    const attempts = this.#name('attempts');
    return `UPDATE ${PARKED} SET ${attempts} = ${attempts} + 1 WHERE ${this.#parkedAre([ref])}`;
  }

  deleteParked(refs: readonly ParkedRef[]): string {
    return `DELETE FROM ${PARKED} WHERE ${this.#parkedAre(refs)}`;
  }

  findTruncation(id: TruncateId): string {
    const columns = ['epoch', 'file', 'end'].map((column) => this.#name(column));
    return `SELECT ${columns.join(', ')} FROM ${TRUNCATED} WHERE ${this.#sourceTable(id)}`;
  }

  listTruncations(topic: string): string {
    const columns = ['source_table', 'epoch', 'file', 'end'].map((column) => this.#name(column));
    return `SELECT ${columns.join(', ')} FROM ${TRUNCATED} WHERE ${this.#ours()} AND ${this.#equals('topic', topic)}`;
  }

  saveTruncation({ topic, sourceTable, epoch, file, end }: TruncateId): string {
    const place = { epoch, file, end, truncated_at: timeText(Date.now()) };
    const values = { pipeline: this.#pipeline, topic, source_table: sourceTable, ...place };
    return `${this.#insert(TRUNCATED, values)} ${this.#dialect.onExisting(TRUNCATED_KEY, Object.keys(place))}`;
  }

  deleteParkedOf(id: TruncateId): string {
    return `DELETE FROM ${PARKED} WHERE ${this.#sourceTable(id)}`;
  }

  /** What tells one lock from others of the same database. */
  truncateLockName({ topic, sourceTable }: TruncateId): string {
    return JSON.stringify(['rowferry_truncated', this.#pipeline, topic, sourceTable]);
  }

  /** Statements that change nothing and fail without the grants that rowferry needs. */
  probes(): readonly string[] {
    const owner = this.#name('owner');
    return [
      `SELECT 1 FROM ${WATERMARK}, ${PARKED} WHERE 1 = 0`,
      `INSERT INTO ${WATERMARK} SELECT * FROM ${WATERMARK} WHERE 1 = 0`,
      `UPDATE ${WATERMARK} SET ${owner} = ${owner} WHERE 1 = 0`,
      `DELETE FROM ${WATERMARK} WHERE 1 = 0`,
      `INSERT INTO ${PARKED} SELECT * FROM ${PARKED} WHERE 1 = 0`,
      `DELETE FROM ${PARKED} WHERE 1 = 0`,
      `INSERT INTO ${TRUNCATED} SELECT * FROM ${TRUNCATED} WHERE 1 = 0`,
    ];
  }

  #parkedAre(refs: readonly ParkedRef[]): string {
    const groups = new Map<string, { readonly first: ParkedRef; readonly hashes: string[] }>();
    for (const ref of refs) {
      const name = JSON.stringify([ref.topic, ref.partition, ref.table]);
      const group = groups.get(name);
      if (group === undefined) groups.set(name, { first: ref, hashes: [this.#dialect.text(ref.keyHash)] });
      else group.hashes.push(this.#dialect.text(ref.keyHash));
    }
    const parts = [...groups.values()].map(
      ({ first, hashes }) =>
        `(${this.#partition(first)} AND ${this.#equals('target_table', first.table)} AND ${this.#name('key_hash')} IN (${hashes.join(', ')}))`,
    );
    return parts.join(' OR ');
  }

  #insert(table: string, values: Readonly<Record<string, string | number>>): string {
    const names = Object.keys(values).map((column) => this.#name(column));
    return `INSERT INTO ${table} (${names.join(', ')}) VALUES (${Object.values(values)
      .map((value) => this.#literal(value))
      .join(', ')})`;
  }

  #assign(values: Readonly<Record<string, string | number>>): string[] {
    return Object.entries(values).map(([column, value]) => `${this.#name(column)} = ${this.#literal(value)}`);
  }

  #touch(writeId: string): string[] {
    return [...this.#assign({ write_id: writeId }), `${this.#name('updated_at')} = CURRENT_TIMESTAMP(3)`];
  }

  #ours(): string {
    return this.#equals('pipeline', this.#pipeline);
  }

  #partition({ topic, partition }: PartitionId): string {
    return `${this.#ours()} AND ${this.#equals('topic', topic)} AND ${this.#equals('partition', partition)}`;
  }

  #sourceTable({ topic, sourceTable }: TruncateId): string {
    return `${this.#ours()} AND ${this.#equals('topic', topic)} AND ${this.#equals('source_table', sourceTable)}`;
  }

  #equals(column: string, value: string | number): string {
    return `${this.#name(column)} = ${this.#literal(value)}`;
  }

  #literal(value: string | number): string {
    return typeof value === 'number' ? integer(value) : this.#dialect.text(value);
  }

  #name(identifier: string): string {
    return this.#dialect.name(identifier);
  }
}

export function readWatermark(row: Row): StoredWatermark {
  const { planned_end: planned, source_time_ms: time } = row;
  return {
    topic: row['topic'] ?? '',
    partition: Number(row['partition']),
    owner: Number(row['owner']),
    next: Number(row['next']),
    plannedEnd: planned === null || planned === undefined ? null : Number(planned),
    sequence: readSequence(row),
    sourceTimeMs: time === null || time === undefined ? null : Number(time),
    writeId: row['write_id'] ?? null,
  };
}

export function readTruncation(row: Row): Pick<TruncateId, 'epoch' | 'file' | 'end'> {
  return { epoch: Number(row['epoch']), file: Number(row['file']), end: Number(row['end']) };
}

export function readParkedEntry(row: Row): ParkedEntry {
  return {
    topic: row['topic'] ?? '',
    partition: Number(row['partition']),
    sourceTable: row['source_table'] ?? '',
    table: row['target_table'] ?? '',
    ...readKey(row),
    reason: row['reason'] as ParkReason,
    detail: row['detail'] ?? '',
    sequence: readSequence(row),
    parkedAtMs: readTime(row),
    attempts: Number(row['attempts']),
  };
}

export function readParkedRecord(row: Row): ParkedRecord {
  return {
    ...readParkedEntry(row),
    shape: readJson(row, 'source_shape') as Table,
    image: readJson(row, 'image') as WireValue[],
  };
}

/** What `rowKeyText` wrote. */
export function readKey(row: Row): Pick<ParkedEntry, 'key' | 'origin'> {
  const stored = readJson(row, 'row_key') as
    WireValue[] | { readonly key: WireValue[]; readonly origin: string };
  if (Array.isArray(stored)) return { key: stored };
  if (Array.isArray(stored.key) && typeof stored.origin === 'string') return stored;
  throw damaged(row, 'row_key');
}

/** A parser's own error would quote the row. */
function readJson(row: Row, column: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(row[column] ?? '');
  } catch {
    throw damaged(row, column);
  }
  if (typeof value === 'object' && value !== null) return value;
  throw damaged(row, column);
}

function damaged(row: Row, column: string): RowferryError {
  const table = row['target_table'];
  return new RowferryError(
    'ROWFERRY_WIRE_CORRUPT',
    `${column} of an entry of rowferry_parked cannot be read: somebody changed it, or its storage is damaged`,
    {
      where: {
        ...(typeof table === 'string' ? { table } : {}),
        ...(typeof row['topic'] === 'string' ? { topic: row['topic'] } : {}),
        ...(row['partition'] === undefined ? {} : { partition: Number(row['partition']) }),
      },
      hint: 'write the row into the target by hand if it is wanted, then delete the entry from rowferry_parked there',
    },
  );
}

/** `parked_at` in milliseconds; it is kept in UTC. */
export function readTime(row: Row): number {
  return Date.parse(`${(row['parked_at'] ?? '').replace(' ', 'T')}Z`);
}

function readSequence(row: Row): StoredWatermark['sequence'] {
  const [epoch = 0, file = 0, end = 0, half = 0] = ['epoch', 'file', 'end', 'half'].map((name) =>
    Number(row[name]),
  );
  return { epoch, file, end, half };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
}

function integer(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`not an exact integer: ${value}`);
  return String(value);
}
