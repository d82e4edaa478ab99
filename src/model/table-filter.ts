/**
 * Which tables a source captures. A pattern is `schema.table`; `*` stands for any characters within a name, `?` for one; a
 * leading `!` excludes. A table is captured when an include pattern matches and no exclude pattern does, whatever their order.
 * Names are compared exactly, as the binlog spells them. The server's own schemas and rowferry's own tables never match.
 */

export interface TablePattern {
  /** As written, with its `!`. */
  readonly text: string;
  readonly exclude: boolean;
  readonly matches: (schema: string, table: string) => boolean;
  readonly matchesSchema: (schema: string) => boolean;
  /** The part behind the dot, as written. */
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

const PATTERN = /^(!?)([^.!\s][^.]*)\.([^.]+)$/;

/** Reads one pattern; `wrong` completes "must be …". */
export function parseTablePattern(
  text: string,
): { readonly value: TablePattern } | { readonly wrong: string } {
  const [, bang, schema, table] = PATTERN.exec(text) ?? [];
  if (schema === undefined || table === undefined) {
    return { wrong: 'a pattern `schema.table`, with `*` and `?` within a name and a leading `!` to exclude' };
  }
  const schemaPattern = wildcard(schema);
  const tablePattern = wildcard(table);
  return {
    value: {
      text,
      exclude: bang === '!',
      matches: (schemaName, tableName) => schemaPattern.test(schemaName) && tablePattern.test(tableName),
      matchesSchema: (schemaName) => schemaPattern.test(schemaName),
      table,
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
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'su');
}
