/** The error of a key that a rule cannot take. It names the key's kind and never its value. */
import { RowferryError } from '../errors.ts';
import type { RouteKey } from './rule.ts';

/** As much of a rule as its errors name. */
export interface KeyReader {
  readonly algorithm: string;
  /** The column, where the rule reads a single one. */
  readonly by?: string;
}

/** `otherwise` is the kind of a key that is neither NULL nor empty: `not an integer`, `not a date`. */
export function routeKeyError(
  key: RouteKey,
  reader: KeyReader,
  need: string,
  otherwise: string,
): RowferryError {
  return refusedKey(
    reader,
    `the sharding key is ${kindOf(key, otherwise)}, ${reader.algorithm} needs ${need}`,
    {
      hint: `choose a rule that takes every key of the table (a NOT NULL column that always holds ${need}, or an expression): a pipeline with another "name", since what is in the log cannot be mended`,
    },
  );
}

export function refusedKey(
  { by }: KeyReader,
  message: string,
  options: { readonly hint: string; readonly cause?: unknown },
): RowferryError {
  return new RowferryError('ROWFERRY_ROUTE_KEY', message, {
    ...options,
    ...(by === undefined ? {} : { where: { column: by } }),
  });
}

function kindOf(key: RouteKey, otherwise: string): string {
  if (key === null) return 'NULL';
  return key === '' || (key instanceof Uint8Array && key.length === 0) ? 'an empty text' : otherwise;
}
