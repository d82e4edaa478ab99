/**
 * Columns by pattern: `schema.table.column`, where schema and table may hold wildcards or stand as a regular expression between
 * slashes (`table-filter.ts`). A leading `mysql:` (MariaDB, too) or `postgres:` narrows it to targets of that engine.
 */
import { parseTablePattern } from './table-filter.ts';

export interface ColumnPattern {
  /** Null for targets of every engine. */
  readonly engine: 'mysql' | 'postgres' | null;
  readonly matches: (schema: string, table: string, column: string) => boolean;
  /** It names one column of one table. */
  readonly isLiteral: boolean;
}

const ENGINE = /^([A-Za-z][\w-]*):(.*)$/s;
const ENGINES = ['mysql', 'postgres'] as const;

/** Reads one pattern; `wrong` completes "…: ". */
export function parseColumnPattern(
  text: string,
): { readonly value: ColumnPattern } | { readonly wrong: string } {
  const [, word = '', rest = text] = ENGINE.exec(text) ?? [];
  const engine = ENGINES.find((name) => name === word) ?? null;
  if (word !== '' && engine === null)
    return {
      wrong: `begins with ${word}:, which is no engine; write mysql: (for MariaDB, too), postgres:, or nothing for both`,
    };
  const dot = rest.lastIndexOf('.');
  const column = rest.slice(dot + 1).toLowerCase();
  const pattern = parseTablePattern(rest.slice(0, Math.max(dot, 0)));
  if ('wrong' in pattern || pattern.value.exclude || column === '')
    return { wrong: 'is not of the form schema.table.column' };
  if (/[*?/]/.test(column))
    return { wrong: 'has a wildcard in its column; only schema and table may have one' };
  const { matches, isLiteral } = pattern.value;
  return {
    value: {
      engine,
      isLiteral,
      matches: (schema, table, other) => other.toLowerCase() === column && matches(schema, table),
    },
  };
}
