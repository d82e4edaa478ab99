/** What a MySQL or MariaDB catalog says of tables, in full: the ground on which target schemas are planned and compared. */

export type Flavour = 'mysql' | 'mariadb';

export type ColumnDefault =
  /** A literal's plain text: `0`, `abc`, `0101` (of BIT, binary digits), `2020-01-01 00:00:00`. */
  | { readonly kind: 'literal'; readonly text: string }
  /** CURRENT_TIMESTAMP with so many digits. */
  | { readonly kind: 'now'; readonly digits: number }
  /** SQL of the server's own dialect. */
  | { readonly kind: 'expression'; readonly sql: string };

export interface CatalogColumn {
  readonly name: string;
  /** COLUMN_TYPE without display width: `int unsigned`, `varchar(20)`, `enum('a','b')`. */
  readonly type: string;
  /** Null for columns without text. */
  readonly charset: string | null;
  readonly collation: string | null;
  readonly nullable: boolean;
  readonly default: ColumnDefault | null;
  readonly autoIncrement: boolean;
  readonly onUpdateNow: boolean;
  readonly generated: { readonly sql: string; readonly stored: boolean } | null;
  readonly invisible: boolean;
  readonly comment: string;
}

/** A column of an index, the beginning of one, or an expression. */
export interface IndexPart {
  readonly column: string | null;
  /** Only so many characters (bytes) count; null for all. */
  readonly prefix: number | null;
  readonly descending: boolean;
  readonly expression: string | null;
}

export interface CatalogIndex {
  readonly name: string;
  readonly kind: 'btree' | 'fulltext' | 'spatial';
  readonly unique: boolean;
  readonly parts: readonly IndexPart[];
}

export interface CatalogTable {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly CatalogColumn[];
  /** Empty when there is none. */
  readonly primaryKey: readonly IndexPart[];
  /** All but the primary key. */
  readonly indexes: readonly CatalogIndex[];
  readonly checks: readonly { readonly name: string; readonly sql: string }[];
  /** As `SHOW CREATE TABLE` spells them. */
  readonly foreignKeys: readonly { readonly name: string; readonly text: string }[];
  readonly partitioned: string | null;
  /** Empty when the table has not been given one. */
  readonly rowFormat: string;
  readonly comment: string;
}

/** Something beside tables: listed, never converted. */
export interface CatalogObject {
  readonly schema: string;
  readonly name: string;
  readonly kind: 'view' | 'trigger' | 'procedure' | 'function' | 'event' | 'sequence' | 'versioned table';
}

export interface Catalog {
  readonly flavour: Flavour;
  readonly version: string;
  readonly tables: readonly CatalogTable[];
  /** Of the schemas of these tables. */
  readonly objects: readonly CatalogObject[];
}

/** Labels of an `enum(…)` or `set(…)`, in order. */
export function labelsOf(type: string): string[] {
  return [...type.matchAll(/'((?:[^'\\]|''|\\.)*)'/gs)].map((match) =>
    (match[1] ?? '').replaceAll("''", "'").replace(/\\(.)/gs, '$1'),
  );
}

export function findByName<T extends { readonly name: string }>(
  items: readonly T[],
  name: string,
): T | undefined {
  return items.find((item) => item.name.toLowerCase() === name.toLowerCase());
}
