/**
 * Turns binlog events into changes for partitions and transaction ends. A pure state machine: the same events give the same
 * output, whatever the clock or the network do (I-3).
 *
 * Rows leave as they are read: a big transaction is never held in memory. Statements at captured tables are told to the sink;
 * what an operator must decide about and what concerns no single table (XA, incidents, unknown events, statements that are
 * not understood) is thrown as an error that names the exact place.
 */
import type { BinlogEvent, RowsEvent, StatementEvent, XaEvent } from '../drivers/binlog-event.ts';
import { RowferryError } from '../errors.ts';
import { binlogFileNumber } from '../model/position.ts';
import { exactRowKey } from '../model/row-key.ts';
import type { Row, Table } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import { partitioner } from '../wire/partition.ts';
import { isHeartbeatTable } from './heartbeat-row.ts';
import { isMarkTable, readMark } from './mark.ts';
import type { CapturedTables, TouchingStatement } from './captured-statements.ts';
import { noNumber, wasReset } from './assembler-errors.ts';
import { touchedBy } from './captured-statements.ts';
import { charsetsIn, hasOtherCharset } from './column-charsets.ts';
import type { AssemblerSink, TableStatement } from './assembled.ts';
import type { AppendVerdict } from './keyless-tables.ts';
import { other } from './table-effect.ts';
import type { TableFlow } from './table-flow.ts';

interface AssemblerOptions extends CapturedTables {
  readonly source: string;
  readonly partitions: number;
  /** Binlog file in which the first event stands. */
  readonly file: string;
  /** Where in that file reading begins: nothing that ends before it may arrive. */
  readonly offset: number;
  readonly dialect: 'mysql' | 'mariadb';
  readonly flow: TableFlow;
  /** Whether an operator has dealt with the statement; `name` is its `file:end position`. */
  readonly isAccepted: (name: string, gtid: string | null) => boolean;
  /** Whether the tables that waited for the statement were let go. */
  readonly hasPassed: (name: string, gtid: string | null) => boolean;
  /** When our heartbeat row was written, by this machine's clock; undefined for a row of another pipeline. */
  readonly heartbeatMs?: (event: RowsEvent) => number | undefined;
  /** What becomes of rows of a table without a key; undefined where such a table is refused. */
  readonly keyless?: (event: RowsEvent) => AppendVerdict;
}

interface ShapePlan {
  readonly partitionOf: (row: Row) => number;
}

export class Assembler {
  readonly #options: AssemblerOptions;
  readonly #sink: AssemblerSink;
  readonly #plans = new WeakMap<Table, ShapePlan>();
  /** The shape of each table's last rows since the last statement at it. */
  readonly #shapes = new Map<string, Table>();
  readonly #lastShapes = new Map<string, Table>();
  #file: string;
  #fileNumber: number;
  #commitMs: number | null = null;
  #rowMs: number | undefined;
  #xa = false;
  #atStart = true;
  #waiting: RowsEvent | undefined;

  constructor(options: AssemblerOptions, sink: AssemblerSink) {
    this.#options = options;
    this.#sink = sink;
    this.#file = options.file;
    this.#fileNumber = this.#numberOf(options.file);
  }

  get file(): string {
    return this.#file;
  }

  /** Handles rows that waited for a state to be saved. */
  resume(): void {
    const event = this.#waiting;
    this.#waiting = undefined;
    if (event !== undefined) this.#rows(event);
  }

  handle(event: BinlogEvent): void {
    if (this.#atStart && 'end' in event) this.#checkStart(event.end);
    switch (event.kind) {
      case 'rotate':
        this.#rotate(event.file);
        return;
      case 'begin':
        this.#commitMs = wholeMs(event.commitTimeMs);
        this.#xa = false;
        return;
      case 'rows':
        this.#rows(event);
        return;
      case 'commit':
        this.#end(event.end, event.gtid, event.timeMs);
        return;
      case 'statement':
        this.#statement(event);
        return;
      case 'xa':
        this.#xaEvent(event);
        return;
      case 'incident':
        throw this.#refuse(
          event.end,
          'the source reports an incident: changes may be missing from its binlog',
          REPAIR_HINT,
        );
      case 'unknown':
        if (event.ignorable) return;
        throw this.#refuse(
          event.end,
          `event type ${event.code} is not known to rowferry and may change rows`,
          'check what the source writes (server version, compression, plugins); rowferry goes no further',
        );
      case 'heartbeat':
        return;
    }
  }

  /**
   * The same server with its binlogs reset writes the same file names anew. Its changes would carry names that consumers have
   * seen, and be dropped as repetitions.
   */
  #checkStart(end: number): void {
    const { source, file, offset } = this.#options;
    if (this.#file !== file || end > offset) {
      this.#atStart = false;
      return;
    }
    throw wasReset(source, { file, end, offset });
  }

  #rotate(file: string): void {
    const number = this.#numberOf(file);
    if (number < this.#fileNumber) {
      throw this.#refuse(
        0,
        `the binlog went back to ${file}`,
        'was RESET run on the source? start again with a new epoch (rowferry replay)',
      );
    }
    this.#file = file;
    this.#fileNumber = number;
  }

  #rows(event: RowsEvent): void {
    const { table, op, rows, end, timeMs } = event;
    if (isMarkTable(table.schema, table.name)) {
      this.#marks(event);
      return;
    }
    if (isHeartbeatTable(table.schema, table.name)) {
      this.#heartbeatRow(event);
      return;
    }
    if (this.#xa) {
      const name = tableName(table);
      throw this.#refuse(end, `an XA transaction changes ${name}`, 'XA is not supported: exclude the table');
    }
    if (!this.#flows(event) || !this.#appends(event)) return;
    const plan = this.#planOf(table, end);
    const commitMs = this.#commitMs ?? timeMs;
    const file = this.#fileNumber;
    if (op === 'update') {
      for (let i = 0; i < rows.length; i += 2)
        this.#update(plan, table, rows[i]!, rows[i + 1]!, end, i, commitMs);
      return;
    }
    const inserts = op === 'insert';
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      this.#sink.change(plan.partitionOf(row), {
        table,
        sequence: { file, end, half: i * 2 },
        timeMs: commitMs,
        before: inserts ? null : row,
        after: inserts ? row : null,
      });
    }
  }

  /** Whether the rows are published now. */
  #appends(event: RowsEvent): boolean {
    const { table, end, timeMs } = event;
    if (table.key.length > 0 || this.#options.keyless === undefined) return true;
    const verdict = this.#options.keyless(event);
    if (typeof verdict === 'string') {
      if (verdict !== 'first') return verdict === 'passes';
      this.#waiting = event;
      this.#sink.waits();
      return false;
    }
    const { schema, name } = table;
    const place = { name: `${this.#file}:${end}`, gtid: null, timeMs, isAccepted: false, hasPassed: false };
    const what = { verb: 'rows', effect: other(verdict.why), isKeyless: true } as const;
    this.#sink.statement({ schema, table: name, former: table, ...place, ...what });
    return false;
  }

  #flows({ table, end, timeMs }: RowsEvent): boolean {
    const name = tableName(table);
    const place = { file: this.#file, offset: end };
    const last = this.#lastShapes.get(name);
    if (last !== table) {
      this.#lastShapes.set(name, table);
      this.#shapes.set(name, table);
      const { flow } = this.#options;
      if (
        flow.passes(name, place) &&
        hasOtherCharset({ ...charsetsIn(last), ...flow.charsetsOf(name) }, table)
      )
        this.#sink.statement({
          schema: table.schema,
          table: table.name,
          verb: 'ALTER TABLE',
          effect: other('has changed the character set of a column'),
          former: last,
          name: `${place.file}:${end}`,
          ...this.#dealtWith(`${place.file}:${end}`, null),
          gtid: null,
          timeMs,
        });
      if (flow.passes(name, place)) flow.forgetCharsets(name);
    }
    return this.#options.flow.passes(name, place);
  }

  #marks({ table, op, rows, end, timeMs }: RowsEvent): void {
    if (op === 'delete') return;
    const place = { file: this.#fileNumber, end, timeMs: this.#commitMs ?? timeMs };
    for (let i = op === 'update' ? 1 : 0; i < rows.length; i += op === 'update' ? 2 : 1) {
      const mark = readMark(table, rows[i]!);
      if (mark !== undefined) this.#sink.mark(mark, place);
    }
  }

  /** It is its own transaction's time, and makes no change. */
  #heartbeatRow(event: RowsEvent): void {
    const rowMs = this.#options.heartbeatMs?.(event);
    if (rowMs === undefined) return;
    this.#rowMs = rowMs;
    this.#commitMs = wholeMs(rowMs);
  }

  /** I-2: a changed primary key is a delete of the old row and an insert of the new one, each in its own partition. */
  #update(
    plan: ShapePlan,
    table: Table,
    before: Row,
    after: Row,
    end: number,
    half: number,
    timeMs: number,
  ): void {
    const file = this.#fileNumber;
    if (exactRowKey(table, before) === exactRowKey(table, after)) {
      this.#sink.change(plan.partitionOf(after), {
        table,
        sequence: { file, end, half },
        timeMs,
        before,
        after,
      });
      return;
    }
    this.#sink.change(plan.partitionOf(before), {
      table,
      sequence: { file, end, half },
      timeMs,
      before,
      after: null,
    });
    const insert = { file, end, half: half + 1 };
    this.#sink.change(plan.partitionOf(after), { table, sequence: insert, timeMs, before: null, after });
  }

  #end(offset: number, gtid: string | null, timeMs: number): void {
    const [commitMs, rowMs] = [this.#commitMs ?? timeMs, this.#rowMs];
    this.#commitMs = null;
    this.#rowMs = undefined;
    const end = { file: this.#file, offset, gtid, commitMs };
    this.#sink.transactionEnd(rowMs === undefined ? end : { ...end, rowMs });
  }

  #statement(event: StatementEvent): void {
    this.#touched(event);
    if (event.standalone) {
      this.#commitMs = wholeMs(event.commitTimeMs);
      this.#end(event.end, event.gtid, event.timeMs);
    }
  }

  /** Tells of a statement that touches captured tables which flow, before its transaction ends. */
  #touched(event: StatementEvent): void {
    const place = { file: this.#file, offset: event.end };
    const name = `${place.file}:${place.offset}`;
    const { flow } = this.#options;
    const dealtWith = this.#dealtWith(name, event.gtid);
    const { isAccepted } = dealtWith;
    const found = this.#touching(event, name, isAccepted);
    for (const { schema, table, effect } of found?.tables ?? []) {
      const fullName = `${schema}.${table}`;
      const former = this.#shapes.get(fullName);
      // What an operator has dealt with is not asked about again by the rows behind it.
      if (isAccepted) {
        this.#lastShapes.delete(fullName);
        flow.forgetCharsets(fullName);
      }
      if (effect.kind !== 'none') this.#shapes.delete(fullName);
      if (!flow.passes(fullName, place)) continue;
      const { verb } = found!;
      this.#sink.statement({
        schema,
        table,
        verb,
        effect,
        former,
        name,
        ...dealtWith,
        gtid: event.gtid,
        timeMs: wholeMs(event.commitTimeMs) ?? event.timeMs,
      });
    }
  }

  #dealtWith(name: string, gtid: string | null): Pick<TableStatement, 'isAccepted' | 'hasPassed'> {
    const hasPassed = this.#options.hasPassed(name, gtid);
    return { isAccepted: hasPassed || this.#options.isAccepted(name, gtid), hasPassed };
  }

  #touching(event: StatementEvent, name: string, isAccepted: boolean): TouchingStatement | undefined {
    try {
      return touchedBy(event, this.#options, this.#options.dialect);
    } catch (error) {
      if (isAccepted) return undefined;
      if (!(error instanceof RowferryError)) throw error;
      const { source } = this.#options;
      throw new RowferryError(error.code, error.message, {
        where: { source, position: name },
        hint: `${error.hint ?? ''}, then: rowferry ddl ack --source ${source} --at ${name} --ahead`,
      });
    }
  }

  #xaEvent(event: XaEvent): void {
    if (event.step === 'start') {
      this.#xa = true;
      return;
    }
    this.#xa = false;
    this.#end(event.end, event.gtid, event.timeMs);
  }

  #planOf(table: Table, end: number): ShapePlan {
    let plan = this.#plans.get(table);
    if (plan === undefined) {
      if (table.key.length === 0 && this.#options.keyless === undefined) {
        const name = tableName(table);
        throw this.#refuse(
          end,
          `${name} has no primary key`,
          `ALTER TABLE ${name} ADD PRIMARY KEY (…), declare a unique key of it under \`keys\` of the source, set \`keyless: append\` there, or exclude it`,
        );
      }
      plan = { partitionOf: partitioner(table, this.#options.partitions) };
      this.#plans.set(table, plan);
    }
    return plan;
  }

  #numberOf(file: string): number {
    const number = binlogFileNumber(file);
    if (number !== undefined) return number;
    throw noNumber(this.#options.source, file);
  }

  #refuse(end: number, what: string, hint: string): RowferryError {
    const where = { source: this.#options.source, position: `${this.#file}:${end}` };
    return new RowferryError('ROWFERRY_SOURCE_UNSUPPORTED', what, { where, hint });
  }
}

/** The source tells microseconds; everything from here on counts in whole milliseconds. */
function wholeMs(timeMs: number | null): number | null {
  return timeMs === null ? null : Math.floor(timeMs);
}

const REPAIR_HINT =
  'compare the tables, repair the difference, then replay from before it or start a new pipeline';
