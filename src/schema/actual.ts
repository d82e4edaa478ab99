/** A target table as it is, the same for both engines. */
import type { Catalog } from './catalog.ts';
import type { PlannedPart } from './planned.ts';

export interface ActualColumn {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly generated: boolean;
  readonly hasDefault: boolean;
  /** MySQL: of text columns. PostgreSQL: the name of what compares loosely, null for what compares exactly. */
  readonly collation: string | null;
  /** PostgreSQL: texts that a check of this column names; null without a check. */
  readonly labels: readonly string[] | null;
}

export interface ActualTable {
  readonly columns: readonly ActualColumn[];
  readonly primaryKey: readonly string[];
  readonly uniqueKeys: readonly (readonly PlannedPart[])[];
  readonly indexes: readonly (readonly PlannedPart[])[];
}

/** Tables of a MySQL or MariaDB catalog by `table` (in `database`) or `schema.table`. */
export function actualTables(catalog: Catalog, database: string): ReadonlyMap<string, ActualTable> {
  return new Map(
    catalog.tables.map((table) => [
      table.schema === database ? table.name : `${table.schema}.${table.name}`,
      {
        columns: table.columns.map((column) => ({
          name: column.name,
          type: column.type,
          nullable: column.nullable,
          generated: column.generated !== null,
          hasDefault: column.default !== null || column.autoIncrement,
          collation: column.collation,
          labels: null,
        })),
        primaryKey: table.primaryKey.map(({ column }) => column ?? ''),
        uniqueKeys: table.indexes.filter(({ unique }) => unique).map(({ parts }) => parts),
        indexes: table.indexes.filter(({ unique }) => !unique).map(({ parts }) => parts),
      },
    ]),
  );
}
