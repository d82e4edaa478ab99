/** The tables that a target is to have: what SQL files are written from and targets are compared with. */
import type { Flavour } from './catalog.ts';

/** What a target's server can do. */
export type TargetTraits =
  | { readonly engine: 'postgres' }
  | {
      readonly engine: 'mysql';
      readonly flavour: Flavour;
      /** Full names of all collations that it has. */
      readonly collations: ReadonlySet<string>;
    };

/** How a column gets a number by itself. */
export type Numbering =
  | 'none'
  /** AUTO_INCREMENT, or an identity column at PostgreSQL. */
  | 'auto'
  /** PostgreSQL: `serial`, by wish. */
  | 'serial'
  /** PostgreSQL: a sequence beside a column that cannot be an identity (numeric). */
  | 'sequence';

export interface PlannedColumn {
  readonly name: string;
  /** The MySQL type of what rowferry writes to it, in full: `varchar(20)`, `enum('a','b')`. */
  readonly from: string;
  /** As the target's catalog spells it. */
  readonly type: string;
  readonly nullable: boolean;
  /** MySQL: of each text column. PostgreSQL: of those that compare loosely, an ICU collation's name. */
  readonly collation: string | null;
  /** SQL. */
  readonly default: string | null;
  readonly numbering: Numbering;
  /** `GENERATED ALWAYS AS (…) STORED`. */
  readonly generated: string | null;
  readonly invisible: boolean;
  readonly comment: string;
  /** PostgreSQL: the texts that an enum or set admits, kept by a check. */
  readonly labels: readonly string[] | null;
}

export interface PlannedPart {
  readonly column: string | null;
  readonly prefix: number | null;
  readonly descending: boolean;
  readonly expression: string | null;
}

export interface PlannedIndex {
  readonly name: string;
  readonly kind: 'btree' | 'fulltext' | 'spatial';
  readonly parts: readonly PlannedPart[];
}

export interface PlannedTable {
  /** `orders_00`, or `app.orders` in a schema of its own. */
  readonly path: string;
  readonly columns: readonly PlannedColumn[];
  readonly primaryKey: readonly string[];
  readonly uniqueKeys: readonly PlannedIndex[];
  readonly indexes: readonly PlannedIndex[];
  readonly checks: readonly { readonly name: string; readonly sql: string }[];
  readonly rowFormat: string;
  readonly comment: string;
}

/** Something that is not as at the source, and why. */
export interface Note {
  /** `shop.orders` or `shop.orders.state`. */
  readonly about: string;
  readonly what: string;
}

/** A type for one column instead of the default one. */
export interface TypeOverride {
  /** `schema.table.column`, wildcards in schema and table; a leading `mysql:` or `postgres:` names the engine. */
  readonly column: string;
  readonly type: string;
  /** Where the operator gave it: `file:line:column` or an option. */
  readonly place: string;
}

/** `email`, `email(10)` or an expression: two indexes are the same when their parts are. */
function partText({ column, prefix, expression }: PlannedPart): string {
  if (column === null) return `(${expression ?? ''})`;
  return prefix === null ? column : `${column}(${prefix})`;
}

export function partsText(parts: readonly PlannedPart[]): string {
  return parts.map((part) => partText(part)).join(', ');
}
