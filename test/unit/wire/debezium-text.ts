/** Records as Debezium writes them. */
import type { ConnectField, DebeziumModes } from '../../../src/wire/debezium-columns.ts';
import type { DebeziumFormat } from '../../../src/wire/debezium-record.ts';
import { DebeziumDecoder } from '../../../src/wire/debezium-record.ts';
import type { RawRecord } from '../../../src/wire/raw-record.ts';

export const FORMAT: DebeziumFormat = {
  types: {},
  decimalHandlingMode: 'precise',
  bigintUnsignedHandlingMode: 'long',
  timePrecisionMode: 'adaptive_time_microseconds',
  binaryHandlingMode: 'bytes',
};

export const SOURCE = {
  version: '3.6.1.Final',
  connector: 'mysql',
  name: 'legacy',
  ts_ms: 1_700_000_000_123,
  snapshot: null,
  db: 'shop',
  sequence: null,
  ts_us: 1_700_000_000_123_456,
  table: 'orders',
  server_id: 5,
  gtid: null,
  file: 'binlog.000042',
  pos: 1234,
  row: 0,
} as const;

const ID: ConnectField = { field: 'id', type: 'int32', optional: false };

export function rawRecord(part: Partial<RawRecord>): RawRecord {
  return { offset: 5, key: Buffer.from('{"id":1}'), value: null, headers: {}, ...part };
}

/** An envelope; JSON text of values may stand for itself, so that long numbers keep their digits. */
export function envelope(parts: {
  readonly op: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly source?: object;
}): object {
  return {
    before: parts.before ?? null,
    after: parts.after ?? null,
    source: { ...SOURCE, ...parts.source },
    transaction: null,
    op: parts.op,
    ts_ms: 1_700_000_000_999,
    ts_us: 1_700_000_000_999_123,
    ts_ns: 1,
  };
}

/** With the schema of the columns `id` and `fields`. */
export function withSchema(
  payload: object,
  fields: readonly ConnectField[],
  id: ConnectField = ID,
): RawRecord {
  const columns = [id, ...fields];
  const schema = {
    type: 'struct',
    fields: ['before', 'after'].map((field) => ({ type: 'struct', fields: columns, optional: true, field })),
    optional: false,
    name: 'legacy.shop.orders.Envelope',
  };
  return rawRecord({
    key: Buffer.from(JSON.stringify({ schema: { type: 'struct', fields: [id] }, payload: { id: 1 } })),
    value: Buffer.from(JSON.stringify({ schema, payload })),
  });
}

/** Reads the value of one column by its schema; `json` is its text. */
export function readBySchema(
  field: Omit<ConnectField, 'field'>,
  json: string,
  { source, ...modes }: Partial<DebeziumModes> & { readonly source?: object } = {},
): { readonly type: string; readonly value: unknown } {
  const record = withSchema(
    envelope({ op: 'c', after: { id: 1, v: '@' }, ...(source === undefined ? {} : { source }) }),
    [{ field: 'v', ...field }],
  );
  const value = Buffer.from(String(record.value).replace('"@"', () => json));
  return onlyValue(new DebeziumDecoder({ ...FORMAT, ...modes }), { ...record, value });
}

/** Reads the value of one column by its declared type. */
export function readByType(
  type: string,
  json: string,
  modes: Partial<DebeziumModes> = {},
): { readonly type: string; readonly value: unknown } {
  const text = JSON.stringify(envelope({ op: 'c', after: { id: 1, v: '@' } })).replace('"@"', () => json);
  const decoder = new DebeziumDecoder({
    ...FORMAT,
    ...modes,
    types: { 'shop.orders': { id: 'int', v: type } },
  });
  return onlyValue(decoder, rawRecord({ value: Buffer.from(text) }));
}

function onlyValue(
  decoder: DebeziumDecoder,
  record: RawRecord,
): { readonly type: string; readonly value: unknown } {
  const decoded = decoder.decode(record);
  const change = decoded.kind === 'changes' ? decoded.chunk.changes[0] : undefined;
  if (change === undefined) throw new Error('the record holds no change');
  return { type: change.table.columns[1]!.type, value: change.after?.[1] };
}
