/** What a statement on the source does to a table, in the form in which it travels to the targets. */

/** A column as its statement defines it; what the statement leaves to the table (a character set) is null. */
export interface ColumnDefinition {
  readonly name: string;
  /** As a catalog spells it, without display width: `int unsigned`, `varchar(20)`, `enum('a','b')`. */
  readonly type: string;
  readonly charset: string | null;
  readonly collation: string | null;
  readonly nullable: boolean;
  /** A literal's plain text; null when rows that are there get NULL. */
  readonly default: string | null;
  readonly comment: string;
}

export interface IndexDefinition {
  /** Null when the server chooses it. */
  readonly name: string | null;
  /** Columns in order; `prefix` is the number of characters (bytes) that count, null for all. */
  readonly parts: readonly {
    readonly column: string;
    readonly prefix: number | null;
    readonly descending: boolean;
  }[];
}

/** A step that loses nothing, and that a target may take before the rows that need it arrive. */
export type AdditiveStep =
  | { readonly kind: 'add column'; readonly column: ColumnDefinition }
  /** The column as it is from now on: every former value fits and means the same. */
  | { readonly kind: 'widen column'; readonly column: ColumnDefinition }
  /** Never a unique one. */
  | { readonly kind: 'add index'; readonly index: IndexDefinition };

/** A change that follows the rows to the targets: a marker carries it through every partition. */
export type SchemaChange =
  | {
      readonly kind: 'additive';
      readonly schema: string;
      readonly table: string;
      readonly steps: readonly AdditiveStep[];
    }
  | {
      readonly kind: 'truncate';
      readonly schema: string;
      readonly table: string;
      /**
       * By partition, the offset before which all rows stand that precede the statement: a target that has applied all
       * partitions up to here holds what TRUNCATE has to remove, and nothing that comes after it.
       */
      readonly ends: readonly number[];
    };
