/**
 * Tells what a statement in the binlog does to tables, from its tokens alone: no parser knows every dialect, and what is not
 * recognised must not pass in silence. Pure.
 *
 * - `none`: cannot change a table's rows or columns (users, views, routines, maintenance, new or temporary tables).
 * - `schema`: changes or removes a table's definition or empties it; `does` says which of these, table by table.
 * - `rows`: changes rows without row events (statement-format DML).
 */
import type { Dialect } from './column-type.ts';
import { alterEffect } from './alter-table.ts';
import { readParts, skipAlgorithm, skipOptions } from './index-definition.ts';
import { NONE, NOT_UNDERSTOOD, other } from './table-effect.ts';
import type { TableEffect } from './table-effect.ts';
import type { NamedTable } from './token-reader.ts';
import { TokenReader } from './token-reader.ts';
import { readings } from './tokens.ts';
import type { Token } from './tokens.ts';

export interface Statement {
  /** The leading keywords, for messages: `ALTER TABLE`, `TRUNCATE`. Never more of the text: it may hold values. */
  readonly verb: string;
  readonly effect: 'none' | 'schema' | 'rows';
  readonly tables: readonly StatementTable[];
  /** A statement about all tables of a schema (DROP DATABASE). */
  readonly wholeSchema: string | null;
  /** It may take an index away: no row and no column changes, but a declared key may rest on it. */
  readonly dropsIndex: boolean;
}

export interface StatementTable extends NamedTable {
  /** It stands where a value may stand: good to compare with table names, never to be shown. */
  readonly mayBeValue: boolean;
  /** A table's name is due where it stands; of a text that was not understood, every other word is only compared. */
  readonly isTableName: boolean;
  /** What happens to this table; `other` wherever the statement was not understood. */
  readonly does: TableEffect;
}

const HARMLESS_OBJECTS = new Set(
  'USER ROLE VIEW TRIGGER PROCEDURE FUNCTION EVENT SERVER TABLESPACE RESOURCE UNDO LOGFILE INSTANCE SEQUENCE PACKAGE SPATIAL LIBRARY'.split(
    ' ',
  ),
);
const HARMLESS_VERBS = new Set(
  'GRANT REVOKE FLUSH ANALYZE OPTIMIZE REPAIR CHECK SET USE SAVEPOINT RELEASE LOCK UNLOCK BINLOG INSTALL UNINSTALL RESET PURGE KILL SHOW EXPLAIN DESCRIBE HANDLER XA BEGIN COMMIT ROLLBACK START'.split(
    ' ',
  ),
);
const DML_VERBS = new Set('INSERT UPDATE DELETE REPLACE LOAD WITH CALL DO'.split(' '));
const VERBS = new Set([...HARMLESS_VERBS, ...DML_VERBS, 'ALTER', 'CREATE', 'DROP', 'TRUNCATE', 'RENAME']);

/**
 * `defaultSchema`: the session's. A text that sessions or servers read in different ways (backslashes, executable comments) does
 * the worst that any of them may have made of it.
 */
export function classifyStatement(sql: string, defaultSchema: string, dialect: Dialect = 'mysql'): Statement {
  const { usual, others, isOpen } = readings(sql);
  const first = classify(usual, defaultSchema, dialect);
  // No server takes a text that begins in its middle.
  const possible = others.filter(([token]) => VERBS.has(token?.text.toUpperCase() ?? ''));
  const worst = possible.map((tokens) => classify(tokens, defaultSchema, dialect)).reduce(worse, first);
  const dropsIndex = [usual, ...possible].some((tokens) => mayDropIndex(tokens));
  return { ...(isOpen ? undecided(worst) : worst), dropsIndex };
}

type Classified = Omit<Statement, 'dropsIndex'>;

function mayDropIndex(tokens: readonly Token[]): boolean {
  const words = tokens.map(({ kind, text }) => (kind === 'word' ? text.toUpperCase() : ''));
  const isIndex = (at: number): boolean => ['INDEX', 'KEY', 'CONSTRAINT'].includes(words[at] ?? '');
  const replaces = words[0] === 'CREATE' && words[1] === 'OR' && words.includes('INDEX');
  return replaces || words.some((word, at) => word === 'DROP' && isIndex(at + 1));
}

const RANK = { none: 0, schema: 1, rows: 2 } as const;

function worse(one: Classified, two: Classified): Classified {
  if (JSON.stringify(one) === JSON.stringify(two)) return one;
  const base = RANK[two.effect] > RANK[one.effect] ? two : one;
  const isNamed = (name: NamedTable): boolean =>
    one.tables.some(({ schema, table }) => schema === name.schema && table === name.table);
  // What only the other reading takes for a name may be a value.
  const further = two.tables.filter((name) => !isNamed(name)).map((name) => ({ ...name, mayBeValue: true }));
  return undecided({
    verb: base.verb,
    effect: base.effect,
    tables: [...one.tables, ...further],
    wholeSchema: one.wholeSchema ?? two.wholeSchema,
  });
}

function undecided(statement: Classified): Classified {
  return { ...statement, tables: concerned(statement.tables, other('may mean different things')) };
}

interface Mention extends NamedTable {
  readonly mayBeValue?: boolean;
  readonly isTableName?: boolean;
}

function concerned(tables: readonly Mention[], does: TableEffect): StatementTable[] {
  return tables.map(({ schema, table, mayBeValue = false, isTableName = true }) => {
    return { schema, table, mayBeValue, isTableName, does };
  });
}

function harmless(verb: string): Classified {
  return { verb, effect: 'none', tables: [], wholeSchema: null };
}

/** Something that nobody here knows: it concerns every table that it mentions. */
function unknown(
  verb: string,
  effect: 'schema' | 'rows',
  tokens: readonly Token[],
  schema: string,
): Classified {
  return { verb, effect, tables: mentions(tokens, schema), wholeSchema: null };
}

function classify(tokens: readonly Token[], schema: string, dialect: Dialect): Classified {
  // MariaDB sends a comment in place of an event that its reader would not understand.
  if (tokens.length === 0) return harmless('a comment');
  const reader = new TokenReader(tokens, schema);
  const verb = reader.word();
  switch (verb) {
    case 'ALTER':
    case 'CREATE':
    case 'DROP':
      return definition(verb, reader, tokens, schema, dialect);
    case 'TRUNCATE': {
      reader.skip('TABLE');
      const names = listedNames(reader, tokens, schema);
      // One table, and nothing else in the text.
      const does: TableEffect = names.length === 1 ? { kind: 'truncate' } : NOT_UNDERSTOOD;
      return { verb, effect: 'schema', tables: concerned(names, does), wholeSchema: null };
    }
    case 'RENAME':
      return rename(reader, tokens, schema);
    case 'SET': {
      // MariaDB: SET STATEMENT max_statement_time=10 FOR ALTER TABLE …
      if (!reader.skip('STATEMENT')) return harmless(verb);
      while (!reader.ended && !reader.comes('FOR')) reader.step();
      reader.step();
      if (reader.ended) return unknown('SET STATEMENT', 'rows', tokens, schema);
      return classify(reader.rest(), schema, dialect);
    }
    case 'ANALYZE':
      // MariaDB: ANALYZE UPDATE … runs the statement.
      if (['TABLE', 'TABLES', 'LOCAL', 'NO_WRITE_TO_BINLOG'].includes(reader.peekWord()))
        return harmless(verb);
      return unknown(verb, 'rows', tokens, schema);
    default:
      if (HARMLESS_VERBS.has(verb)) return harmless(verb);
      return unknown(
        DML_VERBS.has(verb) ? verb : `a statement starting with ${verb}`,
        'rows',
        tokens,
        schema,
      );
  }
}

function definition(
  verb: 'ALTER' | 'CREATE' | 'DROP',
  reader: TokenReader,
  tokens: readonly Token[],
  schema: string,
  dialect: Dialect,
): Classified {
  const replaces = reader.skip('OR', 'REPLACE');
  reader.skip('DEFINER', '=');
  const temporary = reader.skip('TEMPORARY');
  let drops = false;
  let isPlainIndex = !replaces;
  for (;;) {
    if (reader.skip('IGNORE')) drops = true;
    else if (reader.skipOne(['UNIQUE', 'FULLTEXT', 'VECTOR'])) isPlainIndex = false;
    else if (!reader.skip('ONLINE') && !reader.skip('OFFLINE')) break;
  }
  const object = reader.peekWord();
  if (object === 'TABLE' || object === 'TABLES') {
    reader.step();
    reader.skip('IF', 'EXISTS');
    reader.skip('IF', 'NOT', 'EXISTS');
    // A new table is empty, and what CREATE … SELECT puts into it follows as row events. MariaDB's OR REPLACE drops the old one.
    if (temporary || (verb === 'CREATE' && !replaces)) return harmless(`${verb} ${object}`);
    const tables =
      verb === 'ALTER'
        ? alteredTables(reader, drops, dialect)
        : concerned(
            verb === 'DROP'
              ? listedNames(reader, tokens, schema)
              : [reader.name()].filter((name) => name !== null),
            other('drops the table'),
          );
    return {
      verb: replaces ? 'CREATE OR REPLACE TABLE' : `${verb} TABLE`,
      effect: 'schema',
      tables,
      wholeSchema: null,
    };
  }
  if (object === 'DATABASE' || object === 'SCHEMA') {
    reader.step();
    reader.skip('IF', 'EXISTS');
    const name = reader.identifier() ?? schema;
    if (verb !== 'DROP' && !replaces) return harmless(`${verb} ${object}`);
    const removal = replaces ? 'CREATE OR REPLACE DATABASE' : 'DROP DATABASE';
    return { verb: removal, effect: 'schema', tables: [], wholeSchema: name };
  }
  if (object === 'INDEX' || (object === 'SPATIAL' && reader.hasWord('INDEX')))
    return index(verb, reader, isPlainIndex && object === 'INDEX');
  if (HARMLESS_OBJECTS.has(object) || hasDefiner(reader, tokens)) return harmless(`${verb} ${object}`);
  return unknown(`${verb} ${object}`, 'schema', tokens, schema);
}

/** `drops`: ALTER IGNORE, which removes rows that a new key would refuse. */
function alteredTables(reader: TokenReader, drops: boolean, dialect: Dialect): StatementTable[] {
  const name = reader.name();
  if (reader.skip('WAIT')) reader.step();
  else reader.skip('NOWAIT');
  const rest = reader.rest();
  const further = furtherTables(reader);
  let does = drops ? other('may remove rows (IGNORE)') : alterEffect(rest, dialect);
  if (further.length > 0 && does.kind !== 'other') does = NOT_UNDERSTOOD;
  return concerned([...(name === null ? [] : [name]), ...further], does);
}

/** An index changes no row and no column, and targets keep their own; a plain one may go with the rows. */
function index(verb: 'ALTER' | 'CREATE' | 'DROP', reader: TokenReader, isPlain: boolean): Classified {
  const none = harmless(`${verb} INDEX`);
  reader.skip('SPATIAL');
  reader.step();
  reader.skip('IF', 'EXISTS');
  reader.skip('IF', 'NOT', 'EXISTS');
  const name = reader.identifier();
  const known = skipAlgorithm(reader);
  const table = reader.skip('ON') ? reader.name() : null;
  const on = (does: TableEffect): Classified => ({
    verb: `${verb} INDEX`,
    effect: 'schema',
    tables: concerned(table === null ? [] : [table], does),
    wholeSchema: null,
  });
  if (verb === 'DROP') {
    if (table === null || name === null || !skipOptions(reader)) return on(NOT_UNDERSTOOD);
    return on(name.toUpperCase() === 'PRIMARY' ? other('changes the primary key') : NONE);
  }
  if (verb !== 'CREATE' || !isPlain) return table === null ? none : on(NONE);
  if (!known || table === null || name === null) return on(NOT_UNDERSTOOD);
  if (reader.skip('WAIT')) reader.step();
  else reader.skip('NOWAIT');
  const index = readParts(reader, name);
  if (index === null) return none;
  return on(
    index === undefined ? NOT_UNDERSTOOD : { kind: 'additive', steps: [{ kind: 'add index', index }] },
  );
}

function rename(reader: TokenReader, tokens: readonly Token[], schema: string): Classified {
  const object = reader.peekWord();
  if (object !== 'TABLE' && object !== 'TABLES') return harmless(`RENAME ${object}`);
  reader.step();
  reader.skip('IF', 'EXISTS');
  const names = listedNames(reader, tokens, schema);
  return {
    verb: 'RENAME TABLE',
    effect: 'schema',
    tables: concerned(names, other('renames a table')),
    wholeSchema: null,
  };
}

/** `CREATE DEFINER=user@host VIEW …`: the object comes some tokens later. */
function hasDefiner(reader: TokenReader, tokens: readonly Token[]): boolean {
  const words = tokens.slice(0, 16).filter((token) => token.kind === 'word');
  return reader.hasWord('DEFINER') && words.some((token) => HARMLESS_OBJECTS.has(token.text.toUpperCase()));
}

/**
 * Names separated by commas or TO: `a, b.c` and `a TO b, c TO d`. When something follows that is no part of such a list, it was
 * not understood, and everything that is mentioned counts, and an unknown table of the default schema.
 */
function listedNames(reader: TokenReader, tokens: readonly Token[], schema: string): Mention[] {
  const found: NamedTable[] = [];
  for (let name = reader.name(); name !== null; name = reader.name()) {
    found.push(name);
    if (reader.skip('WAIT')) reader.step();
    else reader.skip('NOWAIT');
    if (!reader.skip(',') && !reader.skip('TO')) break;
  }
  while (reader.skipOne(['RESTRICT', 'CASCADE', ';'])) continue;
  return reader.ended ? found : [...mentions(tokens, schema), { schema, table: '' }];
}

/**
 * Other tables of an ALTER TABLE: `RENAME TO b`, and what follows the word TABLE (`EXCHANGE PARTITION p WITH TABLE b`,
 * `CONVERT PARTITION p TO TABLE b`, `CONVERT TABLE b TO PARTITION p`).
 */
function furtherTables(reader: TokenReader): NamedTable[] {
  const found: NamedTable[] = [];
  while (!reader.ended) {
    if (reader.skip('RENAME')) {
      if (['COLUMN', 'INDEX', 'KEY'].includes(reader.peekWord())) continue;
      if (!reader.skip('TO') && !reader.skip('AS')) reader.skip('=');
    } else if (!reader.skip('TABLE')) {
      reader.step();
      continue;
    }
    const name = reader.name();
    if (name !== null) found.push(name);
  }
  return found;
}

/** Behind these words stands the name of a table. */
const BEFORE_TABLES = new Set(
  'INTO FROM JOIN UPDATE TABLE TABLES INSERT REPLACE LOW_PRIORITY HIGH_PRIORITY DELAYED IGNORE QUICK'.split(
    ' ',
  ),
);

/** Every identifier that could name a table: over-conflict is safe. */
function mentions(tokens: readonly Token[], schema: string): StatementTable[] {
  const found: Mention[] = [];
  // Under a sql_mode that quotes otherwise, what stands behind the first quotation mark may be the inside of a string.
  const quote = tokens.findIndex(({ kind }) => kind === 'string' || kind === 'double');
  const reader = new TokenReader(tokens, schema);
  while (!reader.ended) {
    const before = tokens[tokens.length - reader.rest().length - 1];
    const name = reader.name();
    if (name === null) {
      reader.step();
      continue;
    }
    const number = /^\d/.test(name.schema) || /^\d/.test(name.table);
    const at = tokens.length - reader.rest().length;
    const isTableName = before?.kind === 'word' && BEFORE_TABLES.has(before.text.toUpperCase());
    const isKeyword = BEFORE_TABLES.has(name.table.toUpperCase());
    found.push({
      ...name,
      mayBeValue: number || (quote !== -1 && at > quote),
      isTableName: isTableName && !isKeyword,
    });
  }
  return concerned(found, NOT_UNDERSTOOD);
}
