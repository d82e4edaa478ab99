/**
 * Which tables a source captures. A pattern is `schema.table`; `*` stands for any characters within a name, `?` for one; or a
 * regular expression between slashes, which must match the whole of `schema.table`: `/shop\.orders_\d+/`. A leading `!`
 * excludes. A table is captured when an include pattern matches and no exclude pattern does, whatever their order.
 * Names are compared exactly, as the binlog spells them. The server's own schemas and rowferry's own tables never match.
 */

export interface TablePattern {
  /** As written, with its `!`. */
  readonly text: string;
  readonly exclude: boolean;
  readonly matches: (schema: string, table: string) => boolean;
  /** What the wildcards or groups of the pattern stand for in a name that matches; undefined for others. */
  readonly groups: (schema: string, table: string) => readonly string[] | undefined;
  /** How many groups a name that matches has. */
  readonly groupCount: number;
  /** No wildcard and no regular expression: one table. */
  readonly isLiteral: boolean;
  readonly isExpression: boolean;
  readonly matchesSchema: (schema: string) => boolean;
  /** The part behind the dot, as written; of a regular expression nothing is known. */
  readonly table: string;
}

/** Schemas that belong to the server or to rowferry (`rowferry.mark`). */
const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set([
  'mysql',
  'information_schema',
  'performance_schema',
  'sys',
  'rowferry',
]);

/** Tables that rowferry keeps in a target; a source may be the target of another pipeline. */
const OWN_TABLES: ReadonlySet<string> = new Set([
  'rowferry_watermark',
  'rowferry_parked',
  'rowferry_truncated',
  'rowferry_schema_history',
]);

/** A server creates and drops tables for ever; the cache of a long-running filter must not grow with them. */
const CACHE_LIMIT = 10_000;

const PATTERN = /^(!?)([^.!/\s][^.]*)\.([^.]+)$/;
const EXPRESSION = /^(!?)\/(.+)\/$/s;

/** Reads one pattern; `wrong` completes "must be …". */
export function parseTablePattern(
  text: string,
): { readonly value: TablePattern } | { readonly wrong: string } {
  const [, not, expression] = EXPRESSION.exec(text) ?? [];
  if (expression !== undefined) return parseExpression(text, not === '!', expression);
  const [, bang, schema, table] = PATTERN.exec(text) ?? [];
  if (schema === undefined || table === undefined) {
    return {
      wrong:
        'a pattern `schema.table`, with `*` and `?` within a name, or a regular expression between slashes; a leading `!` excludes',
    };
  }
  const schemaPattern = wildcard(schema);
  const tablePattern = wildcard(table);
  const groups = (schemaName: string, tableName: string): readonly string[] | undefined => {
    const inSchema = schemaPattern.exec(schemaName);
    const inTable = inSchema === null ? null : tablePattern.exec(tableName);
    return inSchema === null || inTable === null ? undefined : [...inSchema.slice(1), ...inTable.slice(1)];
  };
  return {
    value: {
      text,
      exclude: bang === '!',
      matches: (schemaName, tableName) => schemaPattern.test(schemaName) && tablePattern.test(tableName),
      groups,
      groupCount: (schema + table).match(/[*?]/g)?.length ?? 0,
      isLiteral: !/[*?]/.test(schema + table),
      isExpression: false,
      matchesSchema: (schemaName) => schemaPattern.test(schemaName),
      table,
    },
  };
}

function parseExpression(
  text: string,
  exclude: boolean,
  source: string,
): { readonly value: TablePattern } | { readonly wrong: string } {
  let pattern: RegExp;
  let groupCount: number;
  try {
    // Alone first: `a)|(?:b` is no expression, and would become one that is anchored at one end only.
    const alone = new RegExp(`(?:${new RegExp(source, 'su').source})|`, 'su');
    groupCount = (alone.exec('')?.length ?? 1) - 1;
    pattern = new RegExp(`^(?:${source})$`, 'su');
  } catch {
    return { wrong: 'a regular expression that JavaScript understands' };
  }
  return {
    value: {
      text,
      exclude,
      matches: (schema, table) => pattern.test(`${schema}.${table}`),
      groups: (schema, table) =>
        pattern
          .exec(`${schema}.${table}`)
          ?.slice(1)
          .map((group) => group ?? ''),
      groupCount,
      isLiteral: false,
      isExpression: true,
      matchesSchema: () => true,
      // Of an exclude it is not known that it takes the whole schema away, of an include that it does not reach into it.
      table: exclude ? '?' : '*',
    },
  };
}

export class TableFilter {
  readonly includes: readonly TablePattern[];
  readonly excludes: readonly TablePattern[];
  readonly #cache = new Map<string, boolean>();

  /** Throws a TypeError for a pattern that the configuration should have refused. */
  constructor(patterns: readonly string[]) {
    const parsed = patterns.map(patternOf);
    this.includes = parsed.filter((pattern) => !pattern.exclude);
    this.excludes = parsed.filter((pattern) => pattern.exclude);
  }

  matches(schema: string, table: string): boolean {
    const name = `${schema}\0${table}`;
    let answer = this.#cache.get(name);
    if (answer === undefined) {
      answer = this.#decide(schema, table);
      if (this.#cache.size >= CACHE_LIMIT) this.#cache.clear();
      this.#cache.set(name, answer);
    }
    return answer;
  }

  /** Whether any table of the schema could match; never false when one does. */
  mayMatchIn(schema: string): boolean {
    if (SYSTEM_SCHEMAS.has(schema.toLowerCase())) return false;
    const excludes = this.excludes.filter((pattern) => pattern.matchesSchema(schema));
    if (excludes.some(({ table }) => /^\*+$/.test(table))) return false;
    return this.includes.some(
      ({ matchesSchema, table }) =>
        matchesSchema(schema) && (/[*?]/.test(table) || this.matches(schema, table)),
    );
  }

  /** Whether a table of the schema with a name like `name` could match; never false when one does. */
  mayMatch(schema: string, name: string): boolean {
    if (!/[*?\0]/.test(name)) return this.matches(schema, name);
    if (!this.mayMatchIn(schema)) return false;
    const excludes = this.excludes.filter((pattern) => pattern.matchesSchema(schema));
    if (excludes.some(({ isExpression, table }) => !isExpression && coversName(table, name))) return false;
    return this.includes.some(
      (pattern) => pattern.matchesSchema(schema) && namesOverlap(pattern.table, name),
    );
  }

  #decide(schema: string, table: string): boolean {
    if (isSystemTable(schema, table)) return false;
    if (this.excludes.some((pattern) => pattern.matches(schema, table))) return false;
    return this.includes.some((pattern) => pattern.matches(schema, table));
  }
}

function isSystemTable(schema: string, table: string): boolean {
  return SYSTEM_SCHEMAS.has(schema.toLowerCase()) || OWN_TABLES.has(table);
}

function wildcard(name: string): RegExp {
  const source = name
    .replace(/[\\^$+()[\]{}|/]/g, '\\$&')
    .replaceAll('*', '(.*)')
    .replaceAll('?', '(.)');
  return new RegExp(`^${source}$`, 'su');
}

/** Stands for one digit in names that `namesOverlap` and `TableFilter.mayMatch` compare; no name of a table can hold it. */
export const ANY_DIGIT = '\0';

/** Whether any table could match both patterns. Of two regular expressions nothing is known, so that they may. */
export function mayOverlap(one: string, other: string): boolean {
  const [a, b] = [patternOf(one), patternOf(other)];
  if (a.isLiteral) return b.matches(...partsOf(one));
  if (b.isLiteral) return a.matches(...partsOf(other));
  if (a.isExpression || b.isExpression) return true;
  const [[schema, table], [otherSchema, otherTable]] = [partsOf(one), partsOf(other)];
  return namesOverlap(schema, otherSchema) && namesOverlap(table, otherTable);
}

/** Reads a pattern that was checked before. Throws a TypeError for one that was not. */
export function patternOf(text: string): TablePattern {
  const pattern = parseTablePattern(text);
  if ('wrong' in pattern) throw new TypeError(`table pattern ${text} is not ${pattern.wrong}`);
  return pattern.value;
}

/** Schema and table of a pattern that is no regular expression, as written. */
export function partsOf(text: string): readonly [schema: string, table: string] {
  const dot = text.indexOf('.');
  return [text.slice(0, dot), text.slice(dot + 1)];
}

/** Whether two names with `*`, `?` and ANY_DIGIT have a name in common. */
export function namesOverlap(one: string, other: string): boolean {
  const [a, b] = [Array.from(one), Array.from(other)];
  // meets[j]: whether what is left of `a` and b[j…] have a name in common.
  let meets: boolean[] = [];
  for (let i = a.length; i >= 0; i -= 1) {
    const below = meets;
    meets = [];
    for (let j = b.length; j >= 0; j -= 1) {
      const [x, y] = [a[i], b[j]];
      if (x === undefined && y === undefined) meets[j] = true;
      else if (x === '*') meets[j] = below[j] === true || meets[j + 1] === true;
      else if (y === '*') meets[j] = meets[j + 1] === true || below[j] === true;
      else meets[j] = mayBeSame(x, y) && below[j + 1] === true;
    }
  }
  return meets[0] === true;
}

function mayBeSame(x: string | undefined, y: string | undefined): boolean {
  if (x === undefined || y === undefined) return false;
  if (x === y || x === '?' || y === '?') return true;
  return (x === ANY_DIGIT && /\d/.test(y)) || (y === ANY_DIGIT && /\d/.test(x));
}

/** Whether a pattern matches every name that another one can be. False where that is not plain. */
function coversName(pattern: string, name: string): boolean {
  // `?` of the name may be what only a wildcard takes; of `*` only its being taken by `*` is plain.
  if (name.includes('*'))
    return (
      pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1)) && !/[*?]/.test(pattern.slice(0, -1))
    );
  return wildcard(pattern).test(name.replaceAll('?', ANY_DIGIT));
}
