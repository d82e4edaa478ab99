/**
 * Tells what a statement in the binlog does to tables, from its tokens alone: no parser knows every dialect, and what is not
 * recognised must not pass in silence. Pure.
 *
 * - `none`: cannot change a table's rows or columns (users, views, routines, maintenance, new or temporary tables).
 * - `index`: takes an index away; no row or column changes, but a declared key may rest on it.
 * - `schema`: changes or removes a table's definition or empties it.
 * - `rows`: changes rows without row events (statement-format DML).
 */
export interface Statement {
  /** The leading keywords, for messages: `ALTER TABLE`, `TRUNCATE`. Never more of the text: it may hold values. */
  readonly verb: string;
  readonly effect: 'none' | 'index' | 'schema' | 'rows';
  readonly tables: readonly StatementTable[];
  /** A statement about all tables of a schema (DROP DATABASE). */
  readonly wholeSchema: string | null;
}

export interface StatementTable {
  readonly schema: string;
  /** Empty when the text did not tell it: any table of the schema. */
  readonly table: string;
  /** It stands where a value may stand: good to compare with table names, never to be shown. */
  readonly mayBeValue: boolean;
}

/** `double` is a string or, under ANSI_QUOTES, an identifier: the session's sql_mode is not known here. */
interface Token {
  readonly kind: 'word' | 'quoted' | 'double' | 'string' | 'mark';
  readonly text: string;
}

const TOKEN =
  /--[ \t][^\n]*|#[^\n]*|\/\*(?![!M])[\s\S]*?\*\/|\/\*M?!\d*|\*\/|`((?:[^`]|``)*)`|'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|([\p{L}\p{N}_$@]+)|([^\s])/gu;

/** Tokens without comments and string values; version comments count as their contents, as the server sees them. */
export function tokens(sql: string): Token[] {
  const found: Token[] = [];
  for (const match of sql.matchAll(TOKEN)) {
    const [text, quoted, word, mark] = match;
    if (quoted !== undefined) found.push({ kind: 'quoted', text: quoted.replaceAll('``', '`') });
    else if (word !== undefined) found.push({ kind: 'word', text: word });
    else if (mark !== undefined) found.push({ kind: 'mark', text: mark });
    else if (text.startsWith("'")) found.push({ kind: 'string', text: "''" });
    else if (text.startsWith('"'))
      found.push({ kind: 'double', text: text.slice(1, -1).replaceAll('""', '"') });
  }
  return found;
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

export function classifyStatement(sql: string, defaultSchema: string): Statement {
  const all = tokens(sql);
  // MariaDB sends a comment in place of an event that its reader would not understand.
  if (all.length === 0) return { verb: 'a comment', effect: 'none', tables: [], wholeSchema: null };
  const reader = new TokenReader(all, defaultSchema);
  const verb = reader.word();
  switch (verb) {
    case 'ALTER':
    case 'CREATE':
    case 'DROP':
      return definition(verb, reader, defaultSchema);
    case 'TRUNCATE':
      reader.skip('TABLE');
      return { verb: 'TRUNCATE', effect: 'schema', tables: reader.names(), wholeSchema: null };
    case 'RENAME':
      return rename(reader);
    default:
      if (HARMLESS_VERBS.has(verb)) return { verb, effect: 'none', tables: [], wholeSchema: null };
      // DML, or a verb that nobody here knows: it concerns every table that it mentions.
      return {
        verb: DML_VERBS.has(verb) ? verb : `a statement starting with ${verb}`,
        effect: 'rows',
        tables: reader.mentions(),
        wholeSchema: null,
      };
  }
}

function definition(verb: string, reader: TokenReader, defaultSchema: string): Statement {
  const replaces = reader.skip('OR', 'REPLACE');
  reader.skip('DEFINER', '=');
  const temporary = reader.skip('TEMPORARY');
  while (
    reader.skip('ONLINE') ||
    reader.skip('OFFLINE') ||
    reader.skip('IGNORE') ||
    reader.skip('UNIQUE') ||
    reader.skip('FULLTEXT')
  )
    continue;
  const object = reader.peekWord();
  const none: Statement = { verb: `${verb} ${object}`, effect: 'none', tables: [], wholeSchema: null };
  if (object === 'TABLE' || object === 'TABLES') {
    reader.word();
    reader.skip('IF', 'EXISTS');
    reader.skip('IF', 'NOT', 'EXISTS');
    // A new table is empty, and what CREATE … SELECT puts into it follows as row events. MariaDB's OR REPLACE drops the old one.
    if (temporary || (verb === 'CREATE' && !replaces)) return none;
    const tables = verb === 'DROP' ? reader.names() : [reader.name()].filter((name) => name !== null);
    const further = verb === 'ALTER' ? reader.furtherTables() : [];
    return {
      verb: replaces ? 'CREATE OR REPLACE TABLE' : `${verb} TABLE`,
      effect: 'schema',
      tables: [...tables, ...further],
      wholeSchema: null,
    };
  }
  if (object === 'DATABASE' || object === 'SCHEMA') {
    reader.word();
    reader.skip('IF', 'EXISTS');
    const name = reader.identifier() ?? defaultSchema;
    if (verb !== 'DROP' && !replaces) return none;
    const removal = replaces ? 'CREATE OR REPLACE DATABASE' : 'DROP DATABASE';
    return { verb: removal, effect: 'schema', tables: [], wholeSchema: name };
  }
  if (object === 'INDEX' || (object === 'SPATIAL' && reader.hasWord('INDEX'))) {
    // An index changes no row and no column; targets keep their own indexes. A unique one only narrows what may come.
    if (verb === 'CREATE' && !replaces) return none;
    return { ...none, effect: 'index', tables: reader.mentions() };
  }
  if (HARMLESS_OBJECTS.has(object) || reader.definerOf(HARMLESS_OBJECTS)) return none;
  return { verb: `${verb} ${object}`, effect: 'schema', tables: reader.mentions(), wholeSchema: null };
}

function rename(reader: TokenReader): Statement {
  const object = reader.peekWord();
  if (object !== 'TABLE' && object !== 'TABLES')
    return { verb: `RENAME ${object}`, effect: 'none', tables: [], wholeSchema: null };
  reader.word();
  reader.skip('IF', 'EXISTS');
  return { verb: 'RENAME TABLE', effect: 'schema', tables: reader.names(), wholeSchema: null };
}

class TokenReader {
  readonly #tokens: readonly Token[];
  readonly #schema: string;
  #at = 0;

  constructor(all: readonly Token[], schema: string) {
    this.#tokens = all;
    this.#schema = schema;
  }

  peekWord(): string {
    const token = this.#tokens[this.#at];
    return token?.kind === 'word' ? token.text.toUpperCase() : '';
  }

  word(): string {
    const word = this.peekWord();
    this.#at++;
    return word;
  }

  /** Steps over these words when they come next, all or none. */
  skip(...words: readonly string[]): boolean {
    const here = words.every((word, i) => {
      const token = this.#tokens[this.#at + i];
      return (token?.kind === 'word' || token?.kind === 'mark') && token.text.toUpperCase() === word;
    });
    if (here) this.#at += words.length;
    return here;
  }

  hasWord(word: string): boolean {
    return this.#tokens.some((token) => token.kind === 'word' && token.text.toUpperCase() === word);
  }

  /** `CREATE DEFINER=user@host VIEW …`: the object comes some tokens later. */
  definerOf(objects: ReadonlySet<string>): boolean {
    const words = this.#tokens.slice(0, 16).filter((token) => token.kind === 'word');
    return this.hasWord('DEFINER') && words.some((token) => objects.has(token.text.toUpperCase()));
  }

  identifier(): string | null {
    const token = this.#tokens[this.#at];
    if (token === undefined || token.kind === 'mark' || token.kind === 'string') return null;
    this.#at++;
    return token.text;
  }

  name(): StatementTable | null {
    const first = this.identifier();
    if (first === null) return null;
    if (!this.skip('.')) return { schema: this.#schema, table: first, mayBeValue: false };
    return { schema: first, table: this.identifier() ?? '', mayBeValue: false };
  }

  /**
   * Names separated by commas or TO: `a, b.c` and `a TO b, c TO d`. When something follows that is no part of such a list, it was
   * not understood, and everything that is mentioned counts, and an unknown table of the default schema.
   */
  names(): StatementTable[] {
    const found: StatementTable[] = [];
    for (let name = this.name(); name !== null; name = this.name()) {
      found.push(name);
      if (this.skip('WAIT')) this.#at++;
      else this.skip('NOWAIT');
      if (!this.skip(',') && !this.skip('TO')) break;
    }
    while (this.skip('RESTRICT') || this.skip('CASCADE') || this.skip(';')) continue;
    if (this.#at >= this.#tokens.length) return found;
    return [...this.mentions(), { schema: this.#schema, table: '', mayBeValue: false }];
  }

  /**
   * Other tables of an ALTER TABLE: `RENAME TO b`, and what follows the word TABLE (`EXCHANGE PARTITION p WITH TABLE b`,
   * `CONVERT PARTITION p TO TABLE b`, `CONVERT TABLE b TO PARTITION p`).
   */
  furtherTables(): StatementTable[] {
    const found: StatementTable[] = [];
    while (this.#at < this.#tokens.length) {
      if (this.skip('RENAME')) {
        if (['COLUMN', 'INDEX', 'KEY'].includes(this.peekWord())) continue;
        if (!this.skip('TO') && !this.skip('AS')) this.skip('=');
      } else if (!this.skip('TABLE')) {
        this.#at++;
        continue;
      }
      const name = this.name();
      if (name !== null) found.push(name);
    }
    return found;
  }

  /** Every identifier that could name a table: over-conflict is safe. */
  mentions(): StatementTable[] {
    const found: StatementTable[] = [];
    // Under a sql_mode that quotes otherwise, what stands behind the first quotation mark may be the inside of a string.
    const quote = this.#tokens.findIndex(({ kind }) => kind === 'string' || kind === 'double');
    for (this.#at = 0; this.#at < this.#tokens.length;) {
      const name = this.name();
      if (name === null) {
        this.#at++;
        continue;
      }
      const number = /^\d/.test(name.schema) || /^\d/.test(name.table);
      found.push({ ...name, mayBeValue: number || (quote !== -1 && this.#at > quote) });
    }
    return found;
  }
}
