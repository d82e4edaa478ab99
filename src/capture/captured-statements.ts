/** Finds what a logged statement touches of the captured tables. Pure. */
import type { StatementEvent } from '../drivers/binlog-event.ts';
import { RowferryError } from '../errors.ts';
import type { Statement, StatementTable } from './statement.ts';
import type { TableNames } from './start-position.ts';
import { classifyStatement } from './statement.ts';
import type { Dialect } from './column-type.ts';
import { combined, NOT_UNDERSTOOD, other } from './table-effect.ts';
import type { TableEffect } from './table-effect.ts';

export interface CapturedTables {
  readonly captures: (schema: string, table: string) => boolean;
  /** Whether any table of the schema could be captured. */
  readonly capturesIn: (schema: string) => boolean;
  /** Whether the table's key is a declared one, which only a unique index at the source vouches for. */
  readonly hasDeclaredKey?: (schema: string, table: string) => boolean;
  readonly tableNames: TableNames;
}

/** A captured table, or all of a schema (`table` is `*`), as rows name it. */
export interface TouchedTable {
  readonly schema: string;
  readonly table: string;
}

export interface TouchingStatement {
  /** Its leading keywords: `ALTER TABLE`. */
  readonly verb: string;
  readonly tables: readonly (TouchedTable & { readonly effect: TableEffect })[];
}

/** Statements whose tables their text tells for certain. */
const EXACT = new Set([
  'ALTER TABLE',
  'CREATE INDEX',
  'DROP INDEX',
  'CREATE OR REPLACE TABLE',
  'DROP TABLE',
  'RENAME TABLE',
  'TRUNCATE',
]);

/**
 * What the statement does and to which captured tables; undefined when it concerns none. Throws when it may concern one and
 * its text does not tell for certain, and when rows were changed that are not in the binlog: then nothing may pass.
 */
export function touchedBy(
  { sql, schema }: StatementEvent,
  captured: CapturedTables,
  dialect: Dialect,
): TouchingStatement | undefined {
  const statement = classifyStatement(sql, schema, dialect);
  if (statement.effect === 'none') return undefined;
  const { verb, wholeSchema, dropsIndex } = statement;
  if (wholeSchema !== null) {
    const spelled = spellings(wholeSchema, captured).find((spelling) => captured.capturesIn(spelling));
    if (spelled === undefined) return undefined;
    return {
      verb,
      tables: [{ schema: spelled, table: '*', effect: other('removes all tables of the schema') }],
    };
  }
  // Which tables it means was not understood: it must not pass where one of them may be captured.
  const unknown = { schema, table: '', mayBeValue: false, isTableName: true, does: NOT_UNDERSTOOD };
  const mentioned = statement.tables.length === 0 ? [unknown] : statement.tables;
  const found = mentioned.flatMap((table) => touched(table, captured) ?? []);
  if (found.length === 0) return undefined;
  const names = new Set(found.map((table) => nameOf(table)));
  const isCertain = EXACT.has(verb) && found.every(({ table, mayBeValue }) => table !== '' && !mayBeValue);
  if (!isCertain) throw refused(statement, found);
  const tables = [...names].map((name) => {
    const mentions = found.filter((table) => nameOf(table) === name);
    const { schema, table } = mentions[0]!;
    const isKeyAtRisk = dropsIndex && captured.hasDeclaredKey?.(schema, table) === true;
    const effects = mentions.map(({ does }) => does);
    const effect = isKeyAtRisk ? KEY_AT_RISK : combined(effects);
    return { schema, table, effect };
  });
  return { verb, tables };
}

const KEY_AT_RISK = other('may take away the index that its declared key rests on');

function touched(named: StatementTable, captured: CapturedTables): StatementTable | undefined {
  const { schema, table } = named;
  const { captures, capturesIn } = captured;
  if (table === '') {
    const isNear = schema === '' || spellings(schema, captured).some((spelling) => capturesIn(spelling));
    return isNear ? named : undefined;
  }
  for (const spelledSchema of spellings(schema, captured)) {
    for (const spelled of spellings(table, captured))
      if (captures(spelledSchema, spelled)) return { ...named, schema: spelledSchema, table: spelled };
  }
  return undefined;
}

/** By which two mentions are of one table; in words that may be shown. */
function nameOf({ schema, table, mayBeValue }: StatementTable): string {
  if (mayBeValue) return 'a captured table';
  return table === '' ? 'a table that its text does not tell' : `${schema}.${table}`;
}

/** Every word of a text that was not understood is compared with the captured tables; only what is a table's name is told. */
function namesOf(found: readonly StatementTable[]): string {
  const named = found.filter(({ isTableName }) => isTableName);
  if (named.length === 0) return 'what may be captured tables';
  return [...new Set(named.map((table) => nameOf(table)))].join(', ');
}

/** Without the place, which the caller adds. */
function refused({ verb, effect }: Statement, found: readonly StatementTable[]): RowferryError {
  const tables = namesOf(found);
  if (effect !== 'rows') {
    return new RowferryError('ROWFERRY_SOURCE_DDL', `${verb} changes ${tables}`, {
      hint: MAKE_CHANGE_HINT,
    });
  }
  return new RowferryError(
    'ROWFERRY_SOURCE_UNSUPPORTED',
    `${verb} was logged as a statement, not as rows, and touches ${tables}`,
    {
      hint: 'its rows are not in the binlog: set binlog_format=ROW for every session, copy the rows by hand',
    },
  );
}

export const MAKE_CHANGE_HINT = 'make the same change at the targets';

/** With lower_case_table_names a statement keeps its author's spelling, while the rows come under lower-case names. */
function spellings(name: string, { tableNames }: CapturedTables): readonly string[] {
  const lower = name.toLowerCase();
  if (tableNames === 'exact') return [name];
  return tableNames === 'lower' ? [lower] : [...new Set([name, lower])];
}
