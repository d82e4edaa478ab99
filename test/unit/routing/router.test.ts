import { describe, expect, it } from 'vitest';
import type { Table } from '../../../src/model/table.ts';
import type { RouteRule } from '../../../src/routing/router.ts';
import { NOWHERE, Router } from '../../../src/routing/router.ts';
import { createRule } from '../../../src/routing/create-rule.ts';
import type { RuleSpec } from '../../../src/routing/rule.ts';

const table: Table = {
  schema: 'shop',
  name: 'orders',
  columns: [
    { name: 'id', type: 'bigint' },
    { name: 'user_id', type: 'bigint' },
  ],
  key: [0],
};
const modulo = (count: number): RuleSpec => ({ algorithm: 'modulo', by: 'USER_ID', count });

function rule(part: Partial<RouteRule> = {}): RouteRule {
  const layout = { targets: ['a', 'b'], shards: modulo(2), tables: null };
  const takes = (schema: string, name: string) => (`${schema}.${name}` === 'shop.orders' ? [] : undefined);
  return { takes, sources: null, to: 'orders', layout, columns: null, ...part };
}

describe('Router', () => {
  it('MOV-5: user 5 -> 6 moves from shard 1 to 2, 5 -> 9 stays (of 4 shards)', () => {
    const four = ['s0', 's1', 's2', 's3'];
    const layout = { targets: four, shards: modulo(4), tables: null };
    const router = new Router([rule({ layout })], four).of('main');
    const [route] = router.placements(table);
    const targets = [5, 6, 9].map((user) => router.places[route!.place(['7', user])]!.target);
    expect(targets).toEqual([1, 2, 1]);
  });

  it('names a target and a table within it, each by its own rule', () => {
    const tables = { rule: { algorithm: 'segments', by: 'user_id', count: 16 } as const };
    const shards: RuleSpec = { algorithm: 'segments', by: 'user_id', count: 2, half: 'high' };
    const layout = { targets: ['a', 'b'], shards, tables };
    const router = new Router([rule({ layout })], ['a', 'b']).of('main');
    const [route] = router.placements(table);
    expect(['5', '4095', '9007199254740993'].map((user) => router.places[route!.place(['1', user])])).toEqual(
      [
        { target: 0, table: 'orders_04' },
        { target: 1, table: 'orders_60' },
        { target: 0, table: 'orders_00' },
      ],
    );
  });

  it('gives each of several targets without shards a layout of its own, and each route of a table too (SHR-12)', () => {
    const copies = { targets: ['b', 'a'], shards: null, tables: null };
    const routes = [rule({ layout: copies, to: 'all' }), rule()];
    const router = new Router(routes, ['a', 'b']).of('main');
    const placements = router.placements(table);
    expect(placements.map(({ place }) => router.places[place(['1', 1])])).toEqual([
      { target: 1, table: 'all' },
      { target: 0, table: 'all' },
      { target: 1, table: 'orders' },
    ]);
    expect(new Set(placements.map(({ id }) => id)).size).toBe(3);
  });

  it('keeps a layout over two shapes of one table, and parts two tables and two sources of one route', () => {
    const router = new Router([rule({ takes: () => [] })], ['a', 'b']);
    const wider = { ...table, columns: [...table.columns, { name: 'note', type: 'text' }] };
    const idOf = (source: string, shape: Table) => router.of(source).placements(shape)[0]!.id;
    expect(idOf('main', wider)).toBe(idOf('main', table));
    const ids = [idOf('main', table), idOf('other', table), idOf('main', { ...table, name: 'orders_2' })];
    expect(new Set(ids).size).toBe(3);
  });

  it('fills the names of source and table, and what its pattern met, into the target table', () => {
    const named = rule({ takes: (_, name) => [name.slice(-2)], to: '{source}_{schema}_{table}_{1}' });
    const router = new Router([named], ['a', 'b']).of('main');
    const [route] = router.placements({ ...table, name: 'orders_07' });
    expect(router.places[route!.place(['1', 0])]).toMatchObject({ table: 'main_shop_orders_07_07' });
  });

  it('takes rows of the sources that a route names, and of no other', () => {
    const router = new Router([rule({ sources: ['main'] })], ['a', 'b']);
    expect(router.of('main').placements(table)).toHaveLength(1);
    expect(() => router.of('other').placements(table)).toThrow('no route says where rows of shop.orders go');
  });

  it('writes nothing for rows that stay in their source, and refuses a row that stands in another one', () => {
    const targets = ['source:x', 'source:y', 'a', 'b'];
    const router = new Router([rule({ layout: { targets, shards: modulo(4), tables: null } })], ['a', 'b']);
    const [route] = router.of('x').placements(table);
    expect(route!.place(['1', 4])).toBe(NOWHERE);
    expect(router.of('x').places[route!.place(['1', 6])]).toEqual({ target: 0, table: 'orders' });
    expect(() => route!.place(['1', 5])).toThrow(
      'belongs to the shard that stays in source y and stands in source x',
    );
  });

  it('names the table that no route covers, and the column that is not there', () => {
    const router = new Router([rule()], ['a', 'b']).of('main');
    expect(() => router.placements({ ...table, name: 'x' })).toThrow('no route says where rows of shop.x go');
    expect(() => router.placements({ ...table, columns: [table.columns[0]!] })).toThrow(
      'there is no column USER_ID',
    );
  });

  it('takes bytes and bits for what they are, not for the text in which they travel', () => {
    const typed = (type: string): Table => ({
      ...table,
      columns: [table.columns[0]!, { name: 'user_id', type }],
    });
    const hash: RuleSpec = { algorithm: 'hash', by: 'user_id', count: 4096 };
    const targets = Array.from({ length: 4096 }, (_, i) => `t${i}`);
    const router = new Router([rule({ layout: { targets, shards: hash, tables: null } })], targets).of(
      'main',
    );
    const bytes = Buffer.from([0, 255, 7]);
    const [placed] = router.placements(typed('binary(3)'));
    const target = router.places[placed!.place(['1', bytes.toString('base64')])]!.target;
    expect(target).toBe(createRule(hash).indexOf(bytes));

    const four = ['s0', 's1', 's2', 's3'];
    const byModulo = () =>
      new Router([rule({ layout: { targets: four, shards: modulo(4), tables: null } })], four).of('main');
    const byFour = byModulo();
    const [bits] = byFour.placements(typed('bit(4)'));
    expect(byFour.places[bits!.place(['1', '0110'])]).toEqual({ target: 2, table: 'orders' });
    // `MTIz` is base64 and `1234` could be, too: a number it is not.
    const [text] = byModulo().placements(typed('varbinary'));
    expect(() => text!.place(['1', '1234'])).toThrow('not an integer');
  });

  it('stops when a column that places rows changes to a type that writes its values in another way', () => {
    const shape = (type: string): Table => ({
      ...table,
      columns: [table.columns[0]!, { name: 'user_id', type }],
    });
    const router = () => new Router([rule()], ['a', 'b']).of('main');
    const wider = router();
    wider.placements(shape('int'));
    expect(wider.placements(shape('bigint unsigned'))).toHaveLength(1);
    const other = router();
    other.placements(shape('varchar'));
    expect(() => other.placements(shape('int'))).toThrow('changed from text to integer');
    const scaled = router();
    scaled.placements(shape('decimal(10,2)'));
    expect(() => scaled.placements(shape('decimal(10,3)'))).toThrow(
      'changed from decimal(10,2) to decimal(10,3)',
    );
  });

  it('parts rows that are told apart by other columns after a change of the primary key', () => {
    const router = new Router([rule()], ['a', 'b']).of('main');
    const byUser = { ...table, key: [1] };
    expect(router.placements(byUser)[0]!.id).not.toBe(router.placements(table)[0]!.id);
  });
});
