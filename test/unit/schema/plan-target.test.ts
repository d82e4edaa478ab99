import { describe, expect, it } from 'vitest';
import type { CatalogIndex, CatalogTable } from '../../../src/schema/catalog.ts';
import { mapColumns } from '../../../src/schema/map-columns.ts';
import { planTarget } from '../../../src/schema/plan-target.ts';
import type { Feed } from '../../../src/schema/plan-target.ts';
import { partsText } from '../../../src/schema/planned.ts';
import { postgresDdl } from '../../../src/schema/postgres-ddl.ts';
import { catalogColumn, catalogTable } from './catalog-fixture.ts';

const part = (column: string) => ({ column, prefix: null, descending: false, expression: null });

const unique = (...columns: string[]): CatalogIndex => ({
  name: `${columns[0]}_key`,
  kind: 'btree',
  unique: true,
  parts: columns.map(part),
});

function feed(table: CatalogTable, more: Partial<Feed> = {}): Feed {
  const names = { source: 'main', schema: table.schema, table: table.name, groups: [] };
  return { sourceFlavour: 'mysql', table, columns: null, names, paths: ['orders'], shared: false, ...more };
}

const plan = (...feeds: Feed[]) => planTarget(feeds, { engine: 'postgres' }, []);

describe('the tables of a target', () => {
  it('are every place of every layout', () => {
    const { tables } = plan(
      feed(catalogTable({ v: 'int' }), { paths: ['orders_00', 'orders_01', 'app.orders'], shared: true }),
    );
    expect(tables.map(({ path }) => path)).toEqual(['app.orders', 'orders_00', 'orders_01']);
    expect(postgresDdl.prepare(tables)).toEqual(['CREATE SCHEMA IF NOT EXISTS "app"']);
  });

  it('hold the rows of all source tables that meet in them', () => {
    const one = catalogTable({ a: 'int', b: 'varchar(10)', only: 'int' }, { indexes: [unique('a')] });
    const other = catalogTable(
      { a: 'bigint', b: 'varchar(5)', more: 'date' },
      { name: 'orders_2', indexes: [unique('b')] },
    );
    const [table] = plan(feed(one), feed(other)).tables;
    expect(table!.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'id integer', 'a bigint', 'b character varying(10)', 'only integer', 'more date',
    ]); // prettier-ignore
    expect(table!.uniqueKeys).toEqual([]);
    const wrong = catalogTable({ a: 'date' }, { name: 'orders_3' });
    expect(() => plan(feed(one), feed(wrong))).toThrow('column a is int in one and date in another');
  });

  it('cannot be for several reasons, which are told at once', () => {
    const one = catalogTable({ a: 'int' });
    const lost = feed(catalogTable({ a: 'int' }, { name: 'goods' }), {
      columns: { only: ['id', 'gone'] },
      paths: ['goods'],
    });
    const hidden = feed(catalogTable({ a: 'int' }, { name: 'users' }), {
      columns: { hash: ['mail'] },
      paths: ['users'],
    });
    const wrong = feed(catalogTable({ a: 'date' }, { name: 'orders_3' }));
    const told = (): unknown => plan(lost, feed(one), hidden, wrong);
    expect(told).toThrow('there is no column gone');
    expect(told).toThrow('there is no column mail');
    expect(told).toThrow('column a is int in one and date in another');
  });

  it('keep a unique key for each origin apart', () => {
    const table = (name: string): CatalogTable =>
      catalogTable({ mail: 'varchar(9)' }, { name, indexes: [unique('mail')] });
    const columns = { origin: 'src', key: ['src', 'id'] };
    const { tables, notes } = plan(feed(table('a'), { columns }), feed(table('b'), { columns }));
    expect(tables[0]!.uniqueKeys.map(({ parts }) => partsText(parts))).toEqual(['src, mail']);
    expect(tables[0]!.primaryKey).toEqual(['src', 'id']);
    expect(notes.map(({ what }) => what)).toContainEqual(expect.stringContaining('starts with src'));
  });

  it('do not number rows that are shared out', () => {
    const id = catalogColumn('int', { name: 'id', nullable: false, autoIncrement: true });
    const table = { ...catalogTable({}), columns: [id] };
    const numbering = (more: Partial<Feed>) => plan(feed(table, more)).tables[0]!.columns[0]!.numbering;
    expect(numbering({})).toBe('auto');
    expect(numbering({ shared: true })).toBe('none');
    const unsigned = { ...table, columns: [{ ...id, type: 'bigint unsigned' }] };
    expect(plan(feed(unsigned)).tables[0]!.columns[0]!.numbering).toBe('sequence');
  });

  it('lose no unique key in silence', () => {
    const table = catalogTable(
      { mail: 'varchar(20)', phone: 'varchar(20)', x: 'int' },
      { indexes: [unique('mail'), unique('phone'), unique('x')] },
    );
    const { tables, notes } = plan(
      feed(table, { columns: { mask: { phone: 2 }, drop: ['x'], rename: { mail: 'email' } } }),
    );
    expect(tables[0]!.uniqueKeys.map(({ parts }) => partsText(parts))).toEqual(['email']);
    expect(notes.map(({ what }) => what)).toEqual([
      expect.stringContaining('unique key under'),
      expect.stringMatching(/unique key phone_key is left out: masked/),
      expect.stringMatching(/unique key x_key is left out: not all/),
    ]);
  });
});

describe('a mapped column', () => {
  const names = { source: 'main', schema: 'shop', table: 'orders', groups: [] };
  const typeOf = (type: string): string =>
    mapColumns(catalogTable({ v: type }), { prefix: { v: '{table}-' } }, names).columns[1]!.type;

  it.each([
    ['varchar(20)', 'varchar(27)'], ['char(3)', 'varchar(10)'], ['text', 'text'], ['int', 'varchar(255)'],
    ['binary(16)', 'varchar(31)'], ['json', 'longtext'], ["enum('a','abc')", 'varchar(10)'], ['blob', 'longtext'],
  ])('of %s with a prefix is %s', (type, expected) => {
    expect(typeOf(type)).toBe(expected);
  }); // prettier-ignore

  it('of a hash, an origin and a constant has room for it', () => {
    const spec = { hash: ['V'], hashKey: 'k', add: { n: 1, t: 'x'.repeat(300) }, origin: 'o' };
    const { columns, key } = mapColumns(catalogTable({ v: 'int' }), spec, names);
    expect(columns.map(({ name, type, how }) => [name, type, how])).toEqual([
      ['id', 'int', 'raw'],
      ['v', 'char(64)', 'hash'],
      ['n', 'bigint', 'add'],
      ['t', 'varchar(300)', 'add'],
      ['o', 'varchar(200)', 'origin'],
    ]);
    expect(key).toEqual(['id']);
  });
});

it('names things of PostgreSQL so that long names stay apart', () => {
  const long = 'x'.repeat(60);
  const table = catalogTable(
    { a: 'int', b: 'int' },
    {
      indexes: [
        { ...unique('a'), name: `${long}a` },
        { ...unique('b'), name: `${long}b` },
      ],
    },
  );
  const [create = ''] = postgresDdl.createTable(plan(feed(table)).tables[0]!, 'before');
  const names = [...create.matchAll(/CONSTRAINT "([^"]+)"/g)].map(([, name = '']) => name);
  expect(new Set(names).size).toBe(2);
  for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
});
