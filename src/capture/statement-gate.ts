/** Acts on statements at captured tables: lets them pass, sends them to the targets, or holds the table (table-flow.ts). */
import { RowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import type { Position } from '../model/position.ts';
import type { SchemaChange } from '../model/schema-change.ts';
import type { Table } from '../model/table.ts';
import type { MarkPlace, TableStatement } from './assembled.ts';
import { openCharsets } from './column-charsets.ts';
import { MAKE_CHANGE_HINT } from './captured-statements.ts';
import { AGAIN } from './keyless-tables.ts';
import type { SchemaPolicy } from './schema-policy.ts';
import { decide } from './schema-policy.ts';
import type { HeldTable, TableFlow } from './table-flow.ts';

interface StatementGateOptions {
  readonly source: string;
  readonly policy: SchemaPolicy;
  readonly flow: TableFlow;
  /** Broadcasts a change behind all rows that were added so far. */
  readonly broadcast: (statement: Pick<TableStatement, 'name' | 'timeMs'>, change: SchemaChange) => void;
  /** What is being read of a table is out of date; `ofRows`: rows that were read may not be there any more, or not so. */
  readonly changed: (table: string, ofRows: boolean) => void;
  readonly log: Log;
}

export class StatementGate {
  readonly #options: StatementGateOptions;
  #truncates: Pick<TableStatement, 'schema' | 'table' | 'name' | 'timeMs'>[] = [];
  #hasHeld = false;

  constructor(options: StatementGateOptions) {
    this.#options = options;
  }

  /** `from` is the last place between transactions before the statement. */
  handle(statement: TableStatement, from: Position): void {
    const { source, policy, flow, broadcast, changed, log } = this.#options;
    const { schema, table, verb, name } = statement;
    const where = { table: `${schema}.${table}`, position: name };
    const decision = decide(statement, policy);
    switch (decision.kind) {
      case 'pass':
        break;
      case 'ignore':
        log.warn(where, `${verb} is not followed at the targets, as configured`);
        break;
      case 'add':
        log.info(where, `${verb} follows the rows to the targets`);
        flow.remember(`${schema}.${table}`, openCharsets(decision.steps, statement.former));
        broadcast(statement, { kind: 'additive', schema, table, steps: decision.steps });
        break;
      case 'truncate':
        log.info(where, `${verb} follows the rows to the targets`);
        this.#truncates.push(statement);
        break;
      case 'hold': {
        const held = {
          table: `${schema}.${table}`,
          statement: name,
          gtid: statement.gtid,
          why: decision.why,
          from,
          sinceMs: statement.timeMs,
          ...(statement.isKeyless === true ? { isKeyless: true as const } : {}),
        };
        flow.hold(held);
        this.#hasHeld = true;
        if (statement.isAccepted)
          log.info(where, `${verb}, which is acknowledged, waits for the rows before it`);
        else log.error({ ...where, code: 'ROWFERRY_SOURCE_DDL' }, heldError(source, held).describe());
      }
    }
    changed(`${schema}.${table}`, statement.effect.kind !== 'none');
  }

  /** Whether a table was held and that is not saved: nothing more may be published before. */
  get hasHeld(): boolean {
    return this.#hasHeld;
  }

  /** What is published from here on rests on a state that has to be saved first. */
  saveFirst(): void {
    this.#hasHeld = true;
  }

  /** The rows of a table without a key flow from here on; what the targets have of older ones goes. */
  cut({ schema, name: table }: Table, empties: boolean, { file, end, timeMs }: MarkPlace): void {
    this.#hasHeld = true;
    if (empties) this.#truncates.push({ schema, table, name: `${file}:${end}`, timeMs });
  }

  heldIsSaved(): void {
    this.#hasHeld = false;
  }

  /** Whether a TRUNCATE waits to be sent: nothing that comes after it may be published before. */
  get hasTruncates(): boolean {
    return this.#truncates.length > 0;
  }

  /** Where the last of them stands; only while there is one. */
  get truncatesAt(): string {
    return this.#truncates.at(-1)?.name ?? '';
  }

  /** `ends`: by partition, the offset before which everything published so far stands. */
  sendTruncates(ends: readonly number[]): void {
    const statements = this.#truncates;
    this.#truncates = [];
    for (const statement of statements) {
      const { schema, table } = statement;
      this.#options.broadcast(statement, { kind: 'truncate', schema, table, ends });
    }
  }
}

/** What an operator is told of a held table. */
export function heldError(source: string, { table, statement, why, isKeyless }: HeldTable): RowferryError {
  const place = { source, position: statement };
  const anew = `copy it anew: rowferry snapshot add ${table} --source ${source} --empty`;
  if (why === AGAIN) {
    return new RowferryError('ROWFERRY_SOURCE_DDL', `${table} waits: ${why}`, {
      where: place,
      hint: `${anew}; other tables go on`,
    });
  }
  if (isKeyless === true) {
    return new RowferryError('ROWFERRY_SOURCE_DDL', `${table} waits: ${why}`, {
      where: place,
      hint:
        `give it a primary key, at the targets too; then ${anew}; ` +
        `or make the same change at the targets by hand and let the rows behind it follow: rowferry ddl ack --source ${source} ` +
        `--at ${statement}; other tables go on`,
    });
  }
  return new RowferryError('ROWFERRY_SOURCE_DDL', `${table} waits: ${why}`, {
    where: place,
    hint: `${MAKE_CHANGE_HINT}, then: rowferry ddl ack --source ${source} --at ${statement}; other tables go on`,
  });
}
