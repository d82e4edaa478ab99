/**
 * Records that Debezium's MySQL and MariaDB connectors wrote through Kafka Connect's JsonConverter, with schemas
 * (`{"schema": …, "payload": …}`) or without.
 *
 * - A key change comes as a delete and an insert, which is what it is here too (I-2); the tombstone between them says nothing.
 * - `source.file`, `source.pos` (where the rows event *starts*) and `source.row` name the change (I-3); connector
 *   and server are its epoch. `DebeziumFilter` knows what that order is worth.
 * - What is no row (heartbeats, transaction bounds, schema changes) is passed over; any other form is refused.
 */
import { createHash } from 'node:crypto';
import { RowferryError } from '../errors.ts';
import type { Change } from '../model/change.ts';
import { binlogFileNumber } from '../model/position.ts';
import type { ColumnType, Row, Table } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import type { Chunk } from './chunk.ts';
import type { DebeziumColumn, DebeziumModes } from './debezium-columns.ts';
import { columnOfSchema, columnOfType, isConnectField, readValue } from './debezium-columns.ts';
import type { ConnectField } from './debezium-columns.ts';
import { numberText, parseExactly } from './exact-json.ts';
import type { RawRecord } from './raw-record.ts';
import type { WireRecord } from './record.ts';

export interface DebeziumFormat extends DebeziumModes {
  /** Canonical types of columns by `schema.table`: all of them where records carry no schema, else those to correct. */
  readonly types: Readonly<Record<string, Readonly<Record<string, ColumnType>>>>;
}

/** A table's shape with the readers of its columns. */
interface Shape {
  readonly table: Table;
  readonly columns: readonly DebeziumColumn[];
}

type Fields = Readonly<Record<string, unknown>>;

interface Envelope {
  readonly op: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly source: Fields;
}

/** Of schemas, shapes and writers. Schemas change seldom; a topic of many tables has one for each. */
const KNOWN_LIMIT = 256;

/** Reads the records of one partition. Shapes keep their identity from record to record. */
export class DebeziumDecoder {
  readonly #format: DebeziumFormat;
  readonly #values = new SchemaTexts();
  readonly #keys = new SchemaTexts();
  readonly #shapes = new Map<string, Shape>();
  readonly #writers = new Map<string, number>();
  /** Each schema object, by the order in which it was met. */
  readonly #schemaIds = new WeakMap<object, number>();
  #schemaCount = 0;

  constructor(format: DebeziumFormat) {
    this.#format = format;
  }

  /** Throws ROWFERRY_WIRE_CORRUPT or ROWFERRY_SOURCE_DDL, without the topic, which the caller adds. */
  decode(record: RawRecord): WireRecord {
    if (record.value === null) return { kind: 'tombstone' };
    const { schema, payload } = this.#values.parse(record.value);
    if (isFields(payload) && isNoRow(payload)) return { kind: 'other' };
    if (!isEnvelope(payload)) throw unknownForm('it has no Debezium envelope');
    return { kind: 'changes', chunk: this.#chunk(record, payload, schema) };
  }

  #chunk(record: RawRecord, envelope: Envelope, schema: unknown): Chunk {
    const { op, source } = envelope;
    const { connector, db, table, server_id: server, ts_ms: timeMs } = source;
    if (connector !== 'mysql' && connector !== 'mariadb') {
      throw unknownForm('its connector is neither mysql nor mariadb');
    }
    if (typeof db !== 'string' || typeof table !== 'string') throw unknownForm('its source names no table');
    const place = tableName({ schema: db, name: table });
    if (op === 't') throw truncated(place);
    const isSnapshot = op === 'r';
    const sequence = sequenceOf(source, op === 'd');
    if (
      typeof timeMs !== 'number' ||
      !Number.isSafeInteger(server) ||
      (sequence === undefined && !isSnapshot)
    ) {
      throw unknownForm('its source says not where in the binlog it stood').at({ table: place });
    }
    try {
      if (record.key === null) throw keyless();
      const shape = this.#shape({ schema: db, name: table }, schema, envelope, record.key);
      if (!isSnapshot && source['snapshot'] === 'false') refuseHiddenNull(shape, schema !== undefined);
      const change: Change = {
        table: shape.table,
        sequence: sequence ?? { file: 0, end: 0, half: 0 },
        timeMs,
        ...imagesOf(envelope, shape),
        ...(isSnapshot ? { snapshot: 'row' as const } : {}),
      };
      return {
        epoch: this.#writer(String(source['name']), Number(server)),
        incarnation: 0,
        changes: [change],
      };
    } catch (error) {
      throw error instanceof RowferryError ? error.at({ table: place }) : error;
    }
  }

  /** A number for connector and server: positions of two connectors, also of one server, have no common order. */
  #writer(connector: string, server: number): number {
    const name = `${server}\0${connector}`;
    let writer = this.#writers.get(name);
    if (writer === undefined) {
      // 48 bits, so that no two are alike; 0 stands for nothing seen yet.
      writer = createHash('sha256').update(name).digest().readUIntBE(0, 6) + 1;
      if (this.#writers.size >= KNOWN_LIMIT) this.#writers.clear();
      this.#writers.set(name, writer);
    }
    return writer;
  }

  #shape(name: Pick<Table, 'schema' | 'name'>, schema: unknown, envelope: Envelope, key: Buffer): Shape {
    const { payload } = this.#keys.parse(key);
    if (!isFields(payload)) throw unknownForm('its key is no object of columns');
    const keyNames = Object.keys(payload);
    const fields = schema === undefined ? undefined : rowFields(schema);
    const image = envelope.after ?? envelope.before;
    // Without a schema the row's own columns are the shape.
    const columnsText =
      schema === undefined ? Object.keys(isFields(image) ? image : {}).join('\0') : this.#schemaId(schema);
    const id = `${tableName(name)}\0${keyNames.join('\0')}\0\0${columnsText}`;
    const known = this.#shapes.get(id);
    if (known !== undefined) return known;
    const types = this.#format.types[tableName(name)] ?? {};
    const columns =
      fields === undefined
        ? this.#declaredColumns(image, types)
        : fields.map((field) => columnOfSchema(field, types[field.field], this.#format));
    const indexes = keyNames.map((column) => columns.findIndex((one) => one.name === column));
    if (indexes.length === 0 || indexes.includes(-1))
      throw unknownForm('its key names columns that the row lacks');
    const shape: Shape = {
      table: {
        ...name,
        columns: columns.map((column) => ({ name: column.name, type: column.type })),
        key: indexes,
      },
      columns,
    };
    if (this.#shapes.size >= KNOWN_LIMIT) this.#shapes.clear();
    this.#shapes.set(id, shape);
    return shape;
  }

  #declaredColumns(image: unknown, types: Readonly<Record<string, ColumnType>>): DebeziumColumn[] {
    const names = Object.keys(isFields(image) ? image : {});
    const untyped = names.filter((name) => types[name] === undefined);
    if (untyped.length > 0) {
      throw new RowferryError(
        'ROWFERRY_WIRE_CORRUPT',
        `the record carries no schema, and no type is known of ${untyped.join(', ')}`,
        {
          hint:
            'let the connector write schemas (value.converter.schemas.enable=true), or name the types of all columns in ' +
            '`types` of the source',
        },
      );
    }
    return names.map((name) => columnOfType(name, types[name]!, this.#format));
  }

  #schemaId(schema: unknown): number {
    if (typeof schema !== 'object' || schema === null) return 0;
    let id = this.#schemaIds.get(schema);
    if (id === undefined) this.#schemaIds.set(schema, (id = ++this.#schemaCount));
    return id;
  }
}

/**
 * Parses `{"schema": …, "payload": …}` and keeps the schemas met: each record repeats its own, which is longer than the row.
 * A text without a schema is its own payload.
 */
class SchemaTexts {
  #known: { readonly head: Buffer; readonly schema: unknown }[] = [];

  parse(bytes: Buffer): { readonly schema: unknown; readonly payload: unknown } {
    const known = this.#known.find(({ head }) => bytes.subarray(0, head.length).equals(head));
    if (known !== undefined) {
      return { schema: known.schema, payload: parseJson(bytes.subarray(known.head.length, -1)) };
    }
    const whole = parseJson(bytes);
    if (
      !isFields(whole) ||
      !('schema' in whole) ||
      !('payload' in whole) ||
      Object.keys(whole).length !== 2
    ) {
      return { schema: undefined, payload: whole };
    }
    const { schema, payload } = whole;
    if (schema === null) return { schema: undefined, payload };
    this.#keep(bytes, schema);
    return { schema, payload };
  }

  /** Only a text that is written as we would write it is recognised again without being parsed. */
  #keep(bytes: Buffer, schema: unknown): void {
    const head = Buffer.from(`{"schema":${JSON.stringify(schema)},"payload":`);
    if (!bytes.subarray(0, head.length).equals(head)) return;
    if (this.#known.length >= KNOWN_LIMIT) this.#known = [];
    this.#known.unshift({ head, schema });
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return parseExactly(bytes.toString());
  } catch {
    // The parser's message quotes the text, which holds row values: it is left out on purpose.
    throw unknownForm(`its ${bytes.length} bytes are not JSON`);
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEnvelope(value: unknown): value is Envelope {
  return isFields(value) && typeof value['op'] === 'string' && isFields(value['source']);
}

/** Heartbeats, transaction bounds and schema changes, should the topics hold some. */
function isNoRow(payload: Fields): boolean {
  if ('op' in payload) return false;
  const isHeartbeat = Object.keys(payload).join() === 'ts_ms';
  const isBound = payload['status'] === 'BEGIN' || payload['status'] === 'END';
  return (
    isHeartbeat ||
    (isBound && 'data_collections' in payload) ||
    ('ddl' in payload && 'tableChanges' in payload)
  );
}

/** The columns of a row by an envelope's schema. */
function rowFields(schema: unknown): readonly ConnectField[] {
  const fields = isFields(schema) ? schema['fields'] : undefined;
  const rows: unknown = Array.isArray(fields)
    ? fields.find((field) => isFields(field) && field['field'] === 'after')
    : undefined;
  const columns = isFields(rows) ? rows['fields'] : undefined;
  if (!Array.isArray(columns) || !columns.every(isConnectField)) {
    throw unknownForm('its schema is not that of an envelope');
  }
  return columns;
}

/** Undefined when the source block names no place: only rows of a snapshot may lack one. */
function sequenceOf({ file, pos, row }: Fields, isDelete: boolean): Change['sequence'] | undefined {
  const number = typeof file === 'string' ? binlogFileNumber(file) : undefined;
  const place = Number(numberText(pos));
  const index = Number(numberText(row) ?? 0);
  if (number === undefined || !Number.isSafeInteger(place) || !Number.isSafeInteger(index)) return undefined;
  // Of a key change, one row of one event, the delete comes first.
  return { file: number, end: place, half: 2 * index + (isDelete ? 0 : 1) };
}

function imagesOf({ op, before, after }: Envelope, shape: Shape): Pick<Change, 'before' | 'after'> {
  switch (op) {
    case 'c':
      return { before: null, after: imageOf(after, shape) };
    case 'r':
      return { before: null, after: imageOf(after, shape, false) };
    case 'd':
      return { before: imageOf(before, shape), after: null };
    case 'u': {
      const images = { before: imageOf(before, shape), after: imageOf(after, shape) };
      if (shape.table.key.some((index) => images.before[index] !== images.after[index])) {
        throw unknownForm('it is an update that changes its key');
      }
      return images;
    }
    default:
      throw unknownForm('its operation is none of c, r, u, d and t');
  }
}

function imageOf(image: unknown, { columns }: Shape, isStreamed = true): Row {
  if (!isFields(image)) {
    throw new RowferryError('ROWFERRY_WIRE_CORRUPT', 'the record lacks an image of the row', {
      hint: 'let the source log whole rows (binlog_row_image=FULL)',
    });
  }
  return columns.map((column) => {
    const value = image[column.name];
    if (value === undefined) throw unknownForm('its row lacks a column').at({ column: column.name });
    return readValue(column, value, isStreamed);
  });
}

/**
 * The converter writes a column's default for NULL unless it is told not to. It did so here: a streamed row says
 * `"snapshot": null`, which arrived as the default of that field.
 */
function refuseHiddenNull({ columns }: Shape, hasSchema: boolean): void {
  const hiding = columns.filter(({ hidesNull }) => hidesNull).map(({ name }) => name);
  if (hasSchema && hiding.length === 0) return;
  const what = hasSchema ? `NULL in ${hiding.join(', ')}` : 'NULL in columns that have a default';
  throw new RowferryError('ROWFERRY_WIRE_CORRUPT', `the converter writes defaults in place of ${what}`, {
    hint:
      'set value.converter.replace.null.with.default=false, and let the connector write the table anew ' +
      '(a new topic.prefix with a snapshot)',
  });
}

function keyless(): RowferryError {
  return new RowferryError(
    'ROWFERRY_WIRE_CORRUPT',
    'the record has no key: which row it changes cannot be told',
    {
      hint: 'give the table a primary key, or name a unique key in message.key.columns of the connector',
    },
  );
}

function truncated(table: string): RowferryError {
  return new RowferryError('ROWFERRY_SOURCE_DDL', 'the source emptied a captured table by TRUNCATE', {
    where: { table },
    hint: 'the rows at the targets are as they were before: fill emptied targets by a pipeline with a new "name"',
  });
}

function unknownForm(what: string): RowferryError {
  return new RowferryError(
    'ROWFERRY_WIRE_CORRUPT',
    `the record is not one that Debezium writes for MySQL: ${what}`,
    {
      hint: 'find out who wrote it, and which transforms the connector has; rowferry changes nothing and waits here',
    },
  );
}
