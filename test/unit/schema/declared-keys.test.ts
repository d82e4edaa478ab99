import { expect, test } from 'vitest';
import type { Catalog, CatalogIndex, CatalogTable } from '../../../src/schema/catalog.ts';
import { withDeclaredKeys } from '../../../src/schema/declared-keys.ts';
import { catalogColumn, catalogTable } from './catalog-fixture.ts';

const part = (column: string) => ({ column, prefix: null, descending: false, expression: null });
const by = (name: string, columns: readonly string[]): CatalogIndex => {
  return { name, kind: 'btree', unique: true, parts: columns.map(part) };
};
const kind = catalogColumn('varchar(9)', { name: 'kind', nullable: false });
const keyless = catalogTable({}, { primaryKey: [], indexes: [by('u', ['kind', 'id']), by('v', ['kind'])] });
const EVENTS = { ...keyless, columns: [...keyless.columns, kind] };

function declared(table: CatalogTable, key: readonly string[]): CatalogTable | undefined {
  const catalog: Catalog = { flavour: 'mysql', version: '9.0.0', tables: [table], objects: [] };
  return withDeclaredKeys(catalog, { 'shop.orders': key }).tables[0];
}

test('a declared key becomes the primary key, in its own order, and its index is not made twice', () => {
  const table = declared(EVENTS, ['ID', 'kind']);
  expect(table?.primaryKey.map(({ column }) => column)).toEqual(['id', 'kind']);
  expect(table?.indexes.map(({ name }) => name)).toEqual(['v']);
});

test('a primary key that a declared one takes the place of stays a unique key', () => {
  const table = declared({ ...EVENTS, primaryKey: [part('id')] }, ['id', 'kind']);
  expect(table?.indexes.map(({ name, parts }) => [name, parts.map(({ column }) => column)])).toEqual([
    ['primary_key', ['id']],
    ['v', ['kind']],
  ]);
});

test('tables without a declared key stay as they are', () => {
  const catalog: Catalog = { flavour: 'mysql', version: '9.0.0', tables: [EVENTS], objects: [] };
  expect(withDeclaredKeys(catalog, { 'shop.other': ['id'] })).toEqual(catalog);
});

test.each<[string, CatalogTable, readonly string[]]>([
  ['that no unique key vouches for', EVENTS, ['id']],
  ['with a column that is not there', EVENTS, ['id', 'sort']],
  ['with a column that may be NULL', { ...EVENTS, columns: [...keyless.columns, { ...kind, nullable: true }] }, ['id', 'kind']],
  ['over a prefix', { ...EVENTS, indexes: [{ ...by('u', []), parts: [part('id'), { ...part('kind'), prefix: 3 }] }] }, ['id', 'kind']],
])('a declared key %s is refused', (_, table, key) => {
  expect(() => declared(table, key)).toThrow('has no unique key that is');
}); // prettier-ignore
