import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Row, Table } from '../../../src/model/table.ts';
import type { ColumnSpec } from '../../../src/routing/columns.ts';
import { mapTable } from '../../../src/routing/columns.ts';

const users: Table = {
  schema: 'shop',
  name: 'users',
  columns: [
    { name: 'id', type: 'bigint' },
    { name: 'Email', type: 'varchar', compares: 'loose' },
    { name: 'phone', type: 'varchar', compares: 'loose' },
    { name: 'points', type: 'int' },
  ],
  key: [0],
};
const row: Row = ['42', 'ada@example.org', '+49 151 7734', 9];
const names = { source: 'eu', schema: 'shop', table: 'users', groups: ['07'] };

/** The mapped row by column name. */
function map(spec: ColumnSpec, image: Row = row): Record<string, unknown> {
  const { table, image: mapped } = mapTable(users, spec, names);
  const values = mapped(image);
  return Object.fromEntries(table.columns.map(({ name }, i) => [name, values[i]]));
}

describe('mapTable', () => {
  it('writes only the listed columns, or all but the dropped ones, whatever case they are written in (VSP-1)', () => {
    expect(map({ only: ['ID', 'email'] })).toEqual({ id: '42', Email: 'ada@example.org' });
    expect(map({ drop: ['PHONE'] })).toEqual({ id: '42', Email: 'ada@example.org', points: 9 });
  });

  it('renames columns, the key among them, and keeps their types', () => {
    const { table } = mapTable(users, { rename: { id: 'user_id', email: 'mail' } }, names);
    expect(table.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'user_id bigint',
      'mail varchar',
      'phone varchar',
      'points int',
    ]);
    expect(table.key).toEqual([0]);
  });

  it('hashes with a key, so that nobody finds a number by trying all; NULL stays NULL (VSP-2)', () => {
    const spec = { only: ['id', 'phone'], hash: ['phone'], hashKey: 'a secret of this test' };
    const digest = createHmac('sha256', spec.hashKey).update('+49 151 7734').digest('hex');
    expect(map(spec)).toEqual({ id: '42', phone: digest });
    expect(map(spec, ['42', 'x', null, 9])).toEqual({ id: '42', phone: null });
  });

  it('masks all but the last characters, and a short text altogether', () => {
    const masked = (phone: string) =>
      map({ only: ['id', 'phone'], mask: { phone: 4 } }, ['1', '', phone, 0])['phone'];
    expect(masked('+49 151 7734')).toBe('********7734');
    expect(masked('7734')).toBe('****');
    expect(masked('😀1234')).toBe('*1234');
    expect(masked('')).toBe('');
  });

  it('adds constants and prefixes that tell sources apart, also in the key', () => {
    const { table, image } = mapTable(
      users,
      {
        only: ['id'],
        prefix: { id: '{source}-{1}-' },
        add: { shard: 7, region: '{source}/{table}' },
        key: ['region', 'id'],
      },
      names,
    );
    expect(image(row)).toEqual(['eu-07-42', '7', 'eu/users']);
    expect(table.columns.map(({ type }) => type)).toEqual(['varchar', 'bigint', 'varchar']);
    expect(table.key).toEqual([2, 0]);
  });

  it('fills the origin column and tells which it is', () => {
    const { table, image } = mapTable(users, { only: ['id'], origin: 'came_from' }, names);
    expect(image(row)).toEqual(['42', 'eu:shop.users']);
    expect(table.origin).toEqual({ column: 1, value: 'eu:shop.users' });
  });

  it('sees a difference only in columns that are written', () => {
    const { differ } = mapTable(users, { only: ['id', 'email'] }, names);
    expect(differ(row, ['42', 'ada@example.org', 'other', 10])).toBe(false);
    expect(differ(row, ['42', 'ADA@example.org', '+49 151 7734', 9])).toBe(true);
  });

  it.each<[string, ColumnSpec, RegExp]>([
    [
      'a name that is not there, which might have been meant to hide a column',
      { mask: { phon: 4 } },
      /no column phon/,
    ],
    ['a dropped column that is not there', { drop: ['secret'] }, /no column secret/],
    ['a masked number', { mask: { points: 1 } }, /points \(int\) is no text/],
    ['a key that is not written', { drop: ['id'] }, /key column id is not written/],
    ['a key that does not tell the rows apart', { key: ['email'] }, /the key must hold id/],
    ['a key of constants', { add: { src: 'x' }, key: ['src'] }, /the key must hold id/],
    ['a key column that may change', { key: ['id', 'email'] }, /[Ee]mail may change/],
    [
      'a renamed column in the place of the key',
      { rename: { id: 'points', points: 'id' }, key: ['id'] },
      /the key must hold points/,
    ],
    ['a key column that nobody writes', { key: ['nr'] }, /key's column nr is not among/],
    ['two columns of one name', { rename: { email: 'phone' } }, /two columns would be written to phone/],
    ['a constant over a column', { add: { EMAIL: 'x' } }, /two columns would be written to EMAIL/],
  ])('refuses %s', (_, spec, message) => {
    expect(() => mapTable(users, spec, names)).toThrow(message);
  });

  it('refuses a name that holds what ends it in a text of the key, and takes it elsewhere', () => {
    const named = (table: string, spec: ColumnSpec) =>
      mapTable({ ...users, name: table }, spec, { ...names, table });
    const prefix = { prefix: { id: '{table}-' }, key: ['id'] };
    expect(() => named('o-', prefix)).toThrow(
      'the name shop.o- holds "-", by which "{table}-" tells names apart',
    );
    expect(() => named('o_1', prefix)).not.toThrow();
    const add = { src: '{table}/{schema}' };
    expect(() => named('o/x', { add, key: ['src', 'id'] })).toThrow('holds "/"');
    expect(() => named('o/x', { add })).not.toThrow();
    expect(() => named('o-x', { add: { src: '{table}-{1}' }, key: ['src', 'id'] })).toThrow('holds "-"');
  });

  it('refuses a table without a primary key, whose rows nothing tells apart', () => {
    expect(() => mapTable({ ...users, key: [] }, { key: ['id'] }, names)).toThrow('it has no primary key');
  });

  it('refuses a masked key, where two rows could fall together', () => {
    const byPhone = { ...users, key: [2] };
    expect(() => mapTable(byPhone, { mask: { phone: 2 } }, names)).toThrow(
      'different keys may look the same',
    );
  });
});
