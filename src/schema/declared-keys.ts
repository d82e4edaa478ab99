/** Declared keys take the place of primary keys, so that targets know rows by them. Pure. */
import { RowferryError } from '../errors.ts';
import { type DeclaredKeys, keyPositions, sameKeyColumns } from '../model/declared-key.ts';
import { tableName } from '../model/table.ts';
import type { Catalog, CatalogIndex, CatalogTable, IndexPart } from './catalog.ts';

/** Throws ROWFERRY_SOURCE_PREFLIGHT for a key that no unique index of the table vouches for. */
export function withDeclaredKeys(catalog: Catalog, keys: DeclaredKeys): Catalog {
  return {
    ...catalog,
    tables: catalog.tables.map((table) => {
      const declared = keys[tableName(table)];
      return declared === undefined ? table : withDeclaredKey(table, declared);
    }),
  };
}

function withDeclaredKey(table: CatalogTable, declared: readonly string[]): CatalogTable {
  const names = table.columns.map(({ name }) => name);
  const columns = keyPositions(declared, names).map((position) => table.columns[position]);
  const isNotNull = columns.every((column) => column?.nullable === false);
  const primary: CatalogIndex = { name: 'primary_key', kind: 'btree', unique: true, parts: table.primaryKey };
  const unique = [...(table.primaryKey.length > 0 ? [primary] : []), ...table.indexes];
  const own = unique.filter((index) => index.unique && isWhole(index, declared));
  if (!isNotNull || own.length === 0) {
    throw new RowferryError(
      'ROWFERRY_SOURCE_PREFLIGHT',
      `${tableName(table)} has no unique key that is (${declared.join(', ')}) in whole and never NULL`,
      { where: { table: tableName(table) }, hint: 'see `rowferry check`, or mend `keys` of the source' },
    );
  }
  return {
    ...table,
    primaryKey: columns.map((column): IndexPart => {
      return { column: column?.name ?? null, prefix: null, descending: false, expression: null };
    }),
    // The same columns once more would only cost.
    indexes: unique.filter((index) => !own.includes(index)),
  };
}

function isWhole({ parts }: CatalogIndex, declared: readonly string[]): boolean {
  return (
    parts.every(({ prefix, expression }) => prefix === null && expression === null) &&
    sameKeyColumns(
      declared,
      parts.map(({ column }) => column ?? ''),
    )
  );
}
