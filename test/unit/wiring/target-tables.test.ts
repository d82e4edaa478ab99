import { describe, expect, it } from 'vitest';
import { loadRoutes } from '../../../src/config/routes.ts';
import type { Periods } from '../../../src/wiring/target-tables.ts';
import { placesNow } from '../../../src/wiring/target-tables.ts';
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
