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
  /** No wildcard and no regular expression: one table. */
  readonly isLiteral: boolean;
  readonly matchesSchema: (schema: string) => boolean;
  /** The part behind the dot, as written; of a regular expression nothing is known. */
  readonly table: string;
}

/** Schemas that belong to the server or to rowferry (`rowferry.mark`). */
export const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set([
  'mysql',
  'information_schema',
  'performance_schema',
  'sys',
  'rowferry',
]);

/** Tables that rowferry keeps in a target; a source may be the target of another pipeline. */
const OWN_TABLES: ReadonlySet<string> = new Set(['rowferry_watermark', 'rowferry_parked']);

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
      isLiteral: !/[*?]/.test(schema + table),
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
  try {
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
      isLiteral: false,
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
    const parsed = patterns.map((text) => {
      const pattern = parseTablePattern(text);
      if ('wrong' in pattern) throw new TypeError(`table pattern ${text} is not ${pattern.wrong}`);
      return pattern.value;
    });
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

  #decide(schema: string, table: string): boolean {
    if (isSystemTable(schema, table)) return false;
    if (this.excludes.some((pattern) => pattern.matches(schema, table))) return false;
    return this.includes.some((pattern) => pattern.matches(schema, table));
  }
}

export function isSystemTable(schema: string, table: string): boolean {
  return SYSTEM_SCHEMAS.has(schema.toLowerCase()) || OWN_TABLES.has(table);
}

function wildcard(name: string): RegExp {
  const source = name
    .replace(/[\\^$+()[\]{}|/]/g, '\\$&')
    .replaceAll('*', '(.*)')
    .replaceAll('?', '(.)');
  return new RegExp(`^${source}$`, 'su');
}

/** Whether any table could match both patterns. Of regular expressions nothing is known, so that they may. */
export function mayOverlap(one: string, other: string): boolean {
  if (one.startsWith('/') || other.startsWith('/')) return true;
  const [schema = '', table = ''] = one.split('.');
  const [otherSchema = '', otherTable = ''] = other.split('.');
  return namesOverlap(schema, otherSchema) && namesOverlap(table, otherTable);
}

/** Whether two names with wildcards have a name in common. */
function namesOverlap(a: string, b: string): boolean {
  if (a === '' && b === '') return true;
  if (a.startsWith('*')) return namesOverlap(a.slice(1), b) || (b !== '' && namesOverlap(a, b.slice(1)));
  if (b.startsWith('*')) return namesOverlap(b, a);
  if (a === '' || b === '') return false;
  const same = a[0] === b[0] || a.startsWith('?') || b.startsWith('?');
  return same && namesOverlap(a.slice(1), b.slice(1));
}
