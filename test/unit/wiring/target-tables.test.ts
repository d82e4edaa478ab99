import { describe, expect, it } from 'vitest';
import { loadRoutes } from '../../../src/config/routes.ts';
import type { Periods } from '../../../src/wiring/target-tables.ts';
import { placesNow, unbroughtColumns } from '../../../src/wiring/target-tables.ts';
import type { Table } from '../../../src/model/table.ts';
import { but, parse } from '../config/config-text.ts';

const NAMES = { source: 'main', schema: 'shop', table: 'users', groups: [] };

async function placesAt(time: string, tables: string, periods: Periods = 'coming'): Promise<string[]> {
  const [, users] = await loadRoutes(parse(but('target: a', `target: a, tables: { ${tables} }`)));
  return placesNow(users!.rule, NAMES, periods, Date.parse(time)).map(({ table }) => table);
}

describe('placesNow', () => {
  const MONTHS = 'algorithm: date, by: born, period: month, since: 2026-01';

  it('wants the tables of the present period and of coming ones, at the turn of a month as well (SHR-8)', async () => {
    expect(await placesAt('2026-03-31T23:59:59Z', MONTHS)).toEqual(['users_2026_03', 'users_2026_04']);
    expect(await placesAt('2026-04-01T00:00:00Z', `${MONTHS}, ahead: 2`)).toEqual([
      'users_2026_04',
      'users_2026_05',
      'users_2026_06',
    ]);
  });

  it('needs the present period alone to start: a table that is missing for tomorrow stops nothing today', async () => {
    expect(await placesAt('2026-03-31T23:59:59Z', MONTHS, 'present')).toEqual(['users_2026_03']);
  });

  it('wants the first periods only when the first one is yet to come', async () => {
    expect(await placesAt('2025-12-31T00:00:00Z', MONTHS)).toEqual(['users_2026_01']);
    expect(await placesAt('2025-06-01T00:00:00Z', MONTHS)).toEqual([]);
  });

  it('wants every table of other rules', async () => {
    expect(await placesAt('2026-04-01T00:00:00Z', 'algorithm: modulo, by: id, count: 3')).toEqual([
      'users_00',
      'users_01',
      'users_02',
    ]);
  });
});

describe('unbroughtColumns', () => {
  const shaped = (name: string, ...columns: readonly string[]): Table => ({
    schema: 'shop',
    name,
    columns: columns.map((column) => ({ name: column, type: 'int' })),
    key: [0],
  });
  const users = shaped('users', 'id', 'born', 'label');

  /** What is told of a target that has these tables, a generated column marked by `=`. */
  async function told(
    has: Readonly<Record<string, readonly string[]>>,
    { route = 'target: a', others = [] as readonly Table[] } = {},
  ): Promise<string[]> {
    const routes = await loadRoutes(parse(but('target: a', route)));
    const columnsOf = (names: readonly string[]) =>
      names.map((name) => {
        const generated = name.startsWith('=');
        const bare = name.replace('=', '');
        return { name: bare, type: 'int', nullable: true, generated, hasDefault: false };
      });
    const describe = async (tables: readonly string[]) =>
      new Map(
        tables.flatMap((name) => {
          const names = has[name];
          if (names === undefined) return [];
          return [[name, { name, columns: columnsOf(names), primaryKey: ['id'], uniqueKeys: [] }] as const];
        }),
      );
    const tables = { renamed: [users], captured: [users, ...others] };
    const nowMs = Date.parse('2026-03-15T00:00Z');
    return await unbroughtColumns('main', tables, routes, [{ name: 'a', describe }], nowMs);
  }

  it('tells the column of before, also beside that of now, and no other spelling', async () => {
    expect(await told({ users: ['id', 'born', 'code'] })).toEqual(['users at a: code']);
    expect(await told({ users: ['id', 'born', 'code', 'label'] })).toEqual(['users at a: code']);
    expect(await told({ users: ['ID', 'born', 'Label'] })).toEqual([]);
  });

  it('tells no column that the target computes', async () => {
    expect(await told({ users: ['id', 'born', 'label', '=age'] })).toEqual([]);
  });

  it('looks at tables of past periods too: their rows keep their values under the old name', async () => {
    const route = 'target: a, tables: { algorithm: date, by: born, period: month, since: 2026-01 }';
    const has = { users_2026_01: ['id', 'born', 'code'], users_2026_03: ['id', 'born', 'label'] };
    expect(await told(has, { route })).toEqual(['users_2026_01 at a: code']);
  });

  it('knows what a constant and the origin fill', async () => {
    const route = 'target: a, columns: { rename: { label: tag }, add: { plan: free }, origin: comes_from }';
    expect(await told({ users: ['id', 'born', 'tag', 'plan', 'comes_from'] }, { route })).toEqual([]);
    expect(await told({ users: ['id', 'born', 'label', 'plan', 'comes_from'] }, { route })).toEqual([
      'users at a: label',
    ]);
  });

  describe('where other tables have rows in the target table', () => {
    const route =
      'target: a, keys: disjoint }\n  - { from: shop.members, to: users, keys: disjoint, target: a';

    it('leaves one its own columns, which brings all others as well, by whatever route', async () => {
      const others = [shaped('members', 'id', 'born', 'label', 'fee')];
      expect(await told({ users: ['id', 'born', 'label', 'fee'] }, { route, others })).toEqual([]);
    });

    it('tells the column of before while one of them has it still: rows of this one would lose their values', async () => {
      const others = [shaped('members', 'id', 'born', 'code')];
      const has = { users: ['id', 'born', 'label', 'code'] };
      expect(await told(has, { route, others })).toEqual(['users at a: code']);
    });

    it('asks nothing of one that does not fit its route: it waits for an operator of its own', async () => {
      const unfit = `${route}, columns: { drop: [fee] }`;
      const others = [shaped('members', 'id', 'born')];
      expect(await told({ users: ['id', 'born', 'label'] }, { route: unfit, others })).toEqual([]);
    });
  });
});
