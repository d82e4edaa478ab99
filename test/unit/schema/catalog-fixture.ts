/** Catalog entries in few words. */
import type { CatalogColumn, CatalogTable } from '../../../src/schema/catalog.ts';

export function catalogColumn(type: string, more: Partial<CatalogColumn> = {}): CatalogColumn {
  const isText = /char|text|^enum|^set/.test(type);
  return {
    name: 'v',
    type,
    charset: isText ? 'utf8mb4' : null,
    collation: isText ? 'utf8mb4_0900_ai_ci' : null,
    nullable: true,
    default: null,
    autoIncrement: false,
    onUpdateNow: false,
    generated: null,
    invisible: false,
    comment: '',
    ...more,
  };
}

/** A table with the key `id` and these columns. */
export function catalogTable(
  columns: Readonly<Record<string, string>>,
  more: Partial<CatalogTable> = {},
): CatalogTable {
  const id = catalogColumn('int', { name: 'id', nullable: false });
  return {
    schema: 'shop',
    name: 'orders',
    columns: [id, ...Object.entries(columns).map(([name, type]) => catalogColumn(type, { name }))],
    primaryKey: [{ column: 'id', prefix: null, descending: false, expression: null }],
    indexes: [],
    checks: [],
    foreignKeys: [],
    partitioned: null,
    rowFormat: '',
    comment: '',
    ...more,
  };
}
