/**
 * Turns binlog events into changes for partitions and transaction ends. A pure state machine: the same events give the same
 * output, whatever the clock or the network do (I-3).
 *
 * Rows leave as they are read: a big transaction is never held in memory. What an operator must decide about (DDL of a
 * captured table, XA, statement DML, incidents, unknown events) is thrown as an error that names the exact place.
 */
import type { BinlogEvent, RowsEvent, StatementEvent, XaEvent } from '../drivers/binlog-event.ts';
import { RowferryError } from '../errors.ts';
import type { Change } from '../model/change.ts';
import { binlogFileNumber } from '../model/position.ts';
import { exactRowKey } from '../model/row-key.ts';
import type { Row, Table } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import { partitioner } from '../wire/partition.ts';
import type { Mark } from './mark.ts';
import { isMarkTable, readMark } from './mark.ts';
import type { Statement } from './statement.ts';
import { classifyStatement } from './statement.ts';

/** The end of a transaction: from here capture can go on. */
export interface TransactionEnd {
  readonly file: string;
  readonly offset: number;
  readonly gtid: string | null;
  readonly commitMs: number;
}

/** Where in the binlog a mark stands: the end position of its rows event names the rows of its chunk (I-3). */
export interface MarkPlace {
  readonly file: number;
  readonly end: number;
  readonly timeMs: number;
}

export interface AssemblerSink {
  change(partition: number, change: Change): void;
  mark(mark: Mark, place: MarkPlace): void;
  transactionEnd(end: TransactionEnd): void;
}

export interface AssemblerOptions {
  readonly source: string;
  readonly partitions: number;
  /** Binlog file in which the first event stands. */
  readonly file: string;
  /** Where in that file reading begins: nothing that ends before it may arrive. */
  readonly offset: number;
  readonly captures: (schema: string, table: string) => boolean;
  /** Whether any table of the schema could be captured. */
  readonly capturesIn: (schema: string) => boolean;
  /** `file:end position` of statements that an operator has dealt with. */
  readonly accepted: ReadonlySet<string>;
}

interface ShapePlan {
  readonly partitionOf: (row: Row) => number;
}

export class Assembler {
  readonly #options: AssemblerOptions;
  readonly #sink: AssemblerSink;
  readonly #plans = new WeakMap<Table, ShapePlan>();
  #file: string;
  #fileNumber: number;
  #commitMs: number | null = null;
  #xa = false;
  #atStart = true;

  constructor(options: AssemblerOptions, sink: AssemblerSink) {
    this.#options = options;
    this.#sink = sink;
    this.#file = options.file;
    this.#fileNumber = this.#numberOf(options.file);
  }

  get file(): string {
    return this.#file;
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
    throw new RowferryError(
      'ROWFERRY_SOURCE_POSITION_LOST',
      `the source sends ${file}:${end}, which lies before the saved position: its binlogs were reset`,
      {
        where: { source, position: `${file}:${offset}` },
        hint: 'fill emptied targets by a pipeline with a new "name"',
      },
    );
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
    if (this.#xa) {
      const name = tableName(table);
      throw this.#refuse(end, `an XA transaction changes ${name}`, 'XA is not supported: exclude the table');
    }
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

  #marks({ table, op, rows, end, timeMs }: RowsEvent): void {
    if (op === 'delete') return;
    const place = { file: this.#fileNumber, end, timeMs: this.#commitMs ?? timeMs };
    for (let i = op === 'update' ? 1 : 0; i < rows.length; i += op === 'update' ? 2 : 1) {
      const mark = readMark(table, rows[i]!);
      if (mark !== undefined) this.#sink.mark(mark, place);
    }
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
    this.#sink.transactionEnd({ file: this.#file, offset, gtid, commitMs: this.#commitMs ?? timeMs });
    this.#commitMs = null;
  }

  #statement(event: StatementEvent): void {
    const place = `${this.#file}:${event.end}`;
    const statement = classifyStatement(event.sql, event.schema);
    if (statement.effect !== 'none' && !this.#options.accepted.has(place)) {
      const names = this.#concerned(statement, event.schema);
      if (names.length > 0)
        throw this.#statementError(statement.verb, statement.effect, names, event.end, place);
    }
    if (event.standalone) {
      this.#commitMs = wholeMs(event.commitTimeMs);
      this.#end(event.end, event.gtid, event.timeMs);
    }
  }

  /** What a statement touches of the captured tables, in words that may be shown; empty when nothing. */
  #concerned({ tables, wholeSchema }: Statement, defaultSchema: string): string[] {
    if (wholeSchema !== null) return this.#capturesIn(wholeSchema) ? [`${wholeSchema}.*`] : [];
    // Which tables it means was not understood: it must not pass where one of them may be captured.
    const unknown = { schema: defaultSchema, table: '', mayBeValue: false };
    const touched = (tables.length === 0 ? [unknown] : tables).filter(({ schema, table }) =>
      table === '' ? schema === '' || this.#capturesIn(schema) : this.#captures(schema, table),
    );
    const names = touched.map(({ schema, table, mayBeValue }) => {
      if (mayBeValue) return 'a captured table';
      return table === '' ? 'a table that its text does not tell' : `${schema}.${table}`;
    });
    return [...new Set(names)];
  }

  /** With lower_case_table_names a statement keeps its author's spelling, while the rows come under lower-case names. */
  #captures(schema: string, table: string): boolean {
    return spellings(schema).some((s) => spellings(table).some((t) => this.#options.captures(s, t)));
  }

  #capturesIn(schema: string): boolean {
    return spellings(schema).some((spelling) => this.#options.capturesIn(spelling));
  }

  #statementError(
    verb: string,
    effect: 'schema' | 'rows',
    names: readonly string[],
    end: number,
    place: string,
  ): RowferryError {
    const { source } = this.#options;
    const what =
      effect === 'rows' ? `${verb} was logged as a statement, not as rows, and touches` : `${verb} changes`;
    const hint =
      effect === 'rows'
        ? `its rows are not in the binlog: set binlog_format=ROW for every session, copy the rows by hand, then: `
        : `make the same change at the targets, then: `;
    const code = effect === 'rows' ? 'ROWFERRY_SOURCE_UNSUPPORTED' : 'ROWFERRY_SOURCE_DDL';
    return new RowferryError(code, `${what} ${names.join(', ')}`, {
      where: { source, position: `${this.#file}:${end}` },
      hint: `${hint}rowferry ddl ack --source ${source} --at ${place}`,
    });
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
      if (table.key.length === 0) {
        const name = tableName(table);
        throw this.#refuse(
          end,
          `${name} has no primary key`,
          `ALTER TABLE ${name} ADD PRIMARY KEY (…), or exclude it`,
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
    throw new RowferryError(
      'ROWFERRY_SOURCE_UNSUPPORTED',
      `the binlog file name ${file} does not end in a number`,
      {
        where: { source: this.#options.source },
        hint: 'set log_bin to a plain base name',
      },
    );
  }

  #refuse(end: number, what: string, hint: string): RowferryError {
    const where = { source: this.#options.source, position: `${this.#file}:${end}` };
    return new RowferryError('ROWFERRY_SOURCE_UNSUPPORTED', what, { where, hint });
  }
}

function spellings(name: string): readonly string[] {
  return [name, name.toLowerCase()];
}

/** The source tells microseconds; everything from here on counts in whole milliseconds. */
function wholeMs(timeMs: number | null): number | null {
  return timeMs === null ? null : Math.floor(timeMs);
}

const REPAIR_HINT =
  'compare the tables, repair the difference, then replay from before it or start a new pipeline';
