/** How each column of a Debezium record is written: told by the record's schema, or by declared types and modes. */
import { RowferryError } from '../errors.ts';
import type { ColumnType, WireValue } from '../model/table.ts';
import type { SourceType } from '../model/value-types.ts';
import { parseSourceType } from '../model/values.ts';
import type { ValueForm, ValueReader } from './debezium-values.ts';
import { opaque, valueReader } from './debezium-values.ts';

/** Settings of the connector that its records do not show, by the connector's own names. */
export interface DebeziumModes {
  readonly decimalHandlingMode: 'precise' | 'string';
  readonly bigintUnsignedHandlingMode: 'long' | 'precise';
  readonly timePrecisionMode:
    'adaptive_time_microseconds' | 'adaptive' | 'connect' | 'microseconds' | 'nanoseconds' | 'isostring';
  readonly binaryHandlingMode: 'bytes' | 'base64' | 'base64-url-safe' | 'hex';
}

/** One column of a shape: its canonical type and how a value becomes one of wire form. */
export interface DebeziumColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** Answers undefined for a value that is not in the form promised. */
  readonly read: ValueReader;
  /** NULL cannot be told from the column's default where the converter writes one for the other. */
  readonly hidesNull: boolean;
}

/** A field of a Connect schema, as JsonConverter writes it. */
export interface ConnectField {
  readonly field: string;
  readonly type: string;
  readonly optional?: boolean;
  readonly name?: string;
  readonly default?: unknown;
  readonly parameters?: Readonly<Record<string, string>>;
}

export function isConnectField(value: unknown): value is ConnectField {
  if (typeof value !== 'object' || value === null) return false;
  const { field, type } = value as Partial<ConnectField>;
  return typeof field === 'string' && typeof type === 'string';
}

/** A column by its schema; `declared` (or the type that the connector propagates) wins over what the schema shows. */
export function columnOfSchema(
  schema: ConnectField,
  declared: ColumnType | undefined,
  modes: DebeziumModes,
): DebeziumColumn {
  const { field: name } = schema;
  const type = declared ?? propagatedType(schema);
  const own = formOf(schema);
  const hidesNull = schema.optional === true && schema.default !== undefined && schema.default !== null;
  if (own.form.kind === 'opaque') return { name, type: own.type, read: opaque, hidesNull };
  if (type === undefined)
    return { name, type: own.type, read: readerFor(name, own.type, own.form), hidesNull };
  const isTextOfBytes = own.form.kind === 'text' && parseSourceType(type)?.family === 'bytes';
  const form = isTextOfBytes ? bytesForm(modes) : own.form;
  return { name, type, read: readerFor(name, type, form), hidesNull };
}

/** A column without a schema: its type is declared, its form follows from the connector's modes. */
export function columnOfType(name: string, type: ColumnType, modes: DebeziumModes): DebeziumColumn {
  const parsed = parseSourceType(type);
  if (parsed === undefined) return { name, type, read: opaque, hidesNull: false };
  return { name, type, read: readerFor(name, type, formByModes(parsed, modes)), hidesNull: false };
}

function readerFor(column: string, type: ColumnType, form: ValueForm): ValueReader {
  const parsed = parseSourceType(type);
  const read = parsed === undefined ? undefined : valueReader(parsed, form);
  if (read === undefined) {
    throw new RowferryError(
      'ROWFERRY_WIRE_CORRUPT',
      `a column of type ${type} comes as ${form.kind}, which is no way in which Debezium writes it`,
      { where: { column }, hint: 'correct `types` of the source' },
    );
  }
  return PLACEHOLDER_FORMS.has(form.kind)
    ? (value, isStreamed) => (isPlaceholder(value) ? undefined : read(value, isStreamed))
    : read;
}

/** What Debezium writes for a value that it did not get; as bytes, the same text encoded. */
const PLACEHOLDER = '__debezium_unavailable_value';
const PLACEHOLDERS: ReadonlySet<unknown> = new Set([
  PLACEHOLDER,
  Buffer.from(PLACEHOLDER).toString('base64'),
  Buffer.from(PLACEHOLDER).toString('base64url'),
  Buffer.from(PLACEHOLDER).toString('hex'),
]);
const PLACEHOLDER_FORMS: ReadonlySet<ValueForm['kind']> = new Set(['text', 'bytes']);

function isPlaceholder(value: unknown): boolean {
  return PLACEHOLDERS.has(value);
}

interface TypedForm {
  readonly type: ColumnType;
  readonly form: ValueForm;
}

const OPAQUE = { kind: 'opaque' } as const;
const ISO = { kind: 'iso' } as const;
const TEXT = { kind: 'text' } as const;
const units = (digits: 3 | 6 | 9): ValueForm => ({ kind: 'units', digits });

/** By the names of logical types. Digits are the most that the type can hold: zeros that a column lacks do no harm. */
const LOGICAL: Readonly<Record<string, TypedForm>> = {
  'io.debezium.time.Date': { type: 'date', form: { kind: 'days' } },
  'org.apache.kafka.connect.data.Date': { type: 'date', form: { kind: 'days' } },
  'io.debezium.time.IsoDate': { type: 'date', form: ISO },
  'io.debezium.time.Time': { type: 'time(3)', form: units(3) },
  'org.apache.kafka.connect.data.Time': { type: 'time(3)', form: units(3) },
  'io.debezium.time.MicroTime': { type: 'time(6)', form: units(6) },
  'io.debezium.time.NanoTime': { type: 'time(6)', form: units(9) },
  'io.debezium.time.IsoTime': { type: 'time(6)', form: ISO },
  'io.debezium.time.Timestamp': { type: 'datetime(3)', form: units(3) },
  'org.apache.kafka.connect.data.Timestamp': { type: 'datetime(3)', form: units(3) },
  'io.debezium.time.MicroTimestamp': { type: 'datetime(6)', form: units(6) },
  'io.debezium.time.NanoTimestamp': { type: 'datetime(6)', form: units(9) },
  'io.debezium.time.IsoTimestamp': { type: 'datetime(6)', form: ISO },
  'io.debezium.time.ZonedTimestamp': { type: 'timestamp(6)', form: ISO },
  'io.debezium.time.Year': { type: 'year', form: { kind: 'number' } },
  'io.debezium.data.Json': { type: 'json', form: TEXT },
  'io.debezium.data.Enum': { type: 'enum', form: TEXT },
  'io.debezium.data.EnumSet': { type: 'set', form: TEXT },
};

const PLAIN: Readonly<Record<string, TypedForm>> = {
  int8: { type: 'tinyint', form: { kind: 'number' } },
  // TINYINT or SMALLINT: the former may be a boolean at PostgreSQL, which takes 0 and 1 alone.
  int16: { type: 'tinyint', form: { kind: 'number' } },
  int32: { type: 'int', form: { kind: 'number' } },
  int64: { type: 'bigint', form: { kind: 'number' } },
  float: { type: 'float', form: { kind: 'number' } },
  double: { type: 'double', form: { kind: 'number' } },
  boolean: { type: 'bit(1)', form: { kind: 'boolean' } },
  string: { type: 'varchar', form: TEXT },
  bytes: { type: 'varbinary', form: { kind: 'bytes', encoding: 'base64' } },
};

/** What a field's schema shows by itself. Structs and arrays (geometry, vectors) and unknown logical types are opaque. */
function formOf({ type, name, parameters = {} }: ConnectField): TypedForm {
  if (name === 'io.debezium.data.Bits') {
    return { type: `bit(${parameters['length'] ?? 64})`, form: { kind: 'bits' } };
  }
  if (name === 'org.apache.kafka.connect.data.Decimal') return decimalForm(parameters);
  if (name !== undefined) return LOGICAL[name] ?? { type: name, form: OPAQUE };
  return PLAIN[type] ?? { type, form: OPAQUE };
}

/** Without digits behind the point it may be a BIGINT UNSIGNED in the mode `precise`: as whole digits it fits both. */
function decimalForm(parameters: Readonly<Record<string, string>>): TypedForm {
  const scale = Number(parameters['scale'] ?? 0);
  const precision = parameters['connect.decimal.precision'] ?? '65';
  return {
    type: scale === 0 ? 'bigint' : `decimal(${precision},${scale})`,
    form: { kind: 'unscaled', scale },
  };
}

/** The source's own type, where the connector propagates it (`column.propagate.source.type`). */
function propagatedType({ parameters = {} }: ConnectField): ColumnType | undefined {
  const written = parameters['__debezium.source.column.type']?.toLowerCase();
  if (written === undefined) return undefined;
  const [base = ''] = written.split(/[ (]/);
  const name =
    { integer: 'int', numeric: 'decimal', bool: 'tinyint', boolean: 'tinyint', real: 'double' }[base] ?? base;
  const length = parameters['__debezium.source.column.length'];
  const scale = parameters['__debezium.source.column.scale'];
  const unsigned = / unsigned/.test(written) ? ' unsigned' : '';
  if (name === 'decimal' && length !== undefined) return `decimal(${length},${scale ?? 0})`;
  if (name === 'bit' || name === 'binary') return `${name}(${length ?? 1})`;
  if (/^(?:datetime|timestamp|time)$/.test(name)) return `${name}(${length ?? 0})`;
  const type = `${name}${unsigned}`;
  return parseSourceType(type) === undefined ? undefined : type;
}

function formByModes({ base, family, unsigned, args }: SourceType, modes: DebeziumModes): ValueForm {
  const { decimalHandlingMode, bigintUnsignedHandlingMode } = modes;
  switch (family) {
    case 'bigint':
      return unsigned && bigintUnsignedHandlingMode === 'precise'
        ? { kind: 'unscaled', scale: 0 }
        : { kind: 'number' };
    case 'decimal':
      return decimalHandlingMode === 'string' ? TEXT : { kind: 'unscaled', scale: args[1] ?? 0 };
    case 'integer':
    case 'float':
    case 'double':
    case 'year':
      return { kind: 'number' };
    case 'bit':
      return (args[0] ?? 1) === 1 ? { kind: 'boolean' } : { kind: 'bits' };
    case 'bytes':
      return bytesForm(modes);
    case 'timestamp':
      return ISO;
    case 'date':
      return modes.timePrecisionMode === 'isostring' ? ISO : { kind: 'days' };
    case 'datetime':
    case 'time':
      return temporalForm(base, args[0] ?? 0, modes);
    default:
      return TEXT;
  }
}

function temporalForm(base: string, digits: number, { timePrecisionMode }: DebeziumModes): ValueForm {
  switch (timePrecisionMode) {
    case 'isostring':
      return ISO;
    case 'connect':
      return units(3);
    case 'microseconds':
      return units(6);
    case 'nanoseconds':
      return units(9);
    case 'adaptive':
      return units(digits <= 3 ? 3 : 6);
    case 'adaptive_time_microseconds':
      return units(base === 'datetime' && digits <= 3 ? 3 : 6);
  }
}

function bytesForm({ binaryHandlingMode }: DebeziumModes): ValueForm {
  if (binaryHandlingMode === 'hex') return { kind: 'bytes', encoding: 'hex' };
  return { kind: 'bytes', encoding: binaryHandlingMode === 'base64-url-safe' ? 'base64url' : 'base64' };
}

/** Reads a value of a column, NULL included. Throws ROWFERRY_WIRE_CORRUPT, which never quotes the value. */
export function readValue(
  { name, type, read }: DebeziumColumn,
  value: unknown,
  isStreamed: boolean,
): WireValue {
  if (value === null) return null;
  const wire = read(value, isStreamed);
  if (wire !== undefined) return wire;
  const unavailable = isPlaceholder(value);
  throw new RowferryError(
    'ROWFERRY_WIRE_CORRUPT',
    unavailable ? 'the value was not available to Debezium' : `a value is not in the form of ${type}`,
    {
      where: { column: name },
      hint: unavailable
        ? 'let the source log whole rows (binlog_row_image=FULL)'
        : 'compare the handling modes of the connector with those of the source in the configuration',
    },
  );
}
