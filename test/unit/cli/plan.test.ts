import { describe, expect, it } from 'vitest';
import { planCommand } from '../../../src/cli/plan.ts';
import { fileWith, ordersConfig, runVerb, TWICE } from '../../support/run-verb.ts';

const modulo = (count: number): string => `algorithm: modulo, by: user_id, count: ${count}`;

describe('rowferry plan', () => {
  it('tells the exact share and the rows of each pair (RSH-4)', async () => {
    const args = ['--from', modulo(2), '--to', modulo(3), '--rows', '1M'];
    const { lines, exitCode } = await runVerb(planCommand, args);
    expect(lines).toEqual([
      'from  targets: user_id mod 2',
      'to    targets: user_id mod 3',
      '',
      'moves 2/3 (66.6667 %) of evenly spread keys (one period of 6 was walked), 666,667 of 1,000,000 rows',
      '',
      'from      to        share  %             rows',
      '────────  ────────  ─────  ─────────  ───────',
      'shard_00  shard_01  1/6    16.6667 %  166,667',
      'shard_00  shard_02  1/6    16.6667 %  166,667',
      'shard_01  shard_00  1/6    16.6667 %  166,667',
      'shard_01  shard_02  1/6    16.6667 %  166,667',
    ]);
    expect(exitCode).toBe(0);
  });

  it('RSH-1: doubling takes half of every shard', async () => {
    const { lines } = await runVerb(planCommand, ['--from', modulo(2), '--to', modulo(4), '--json']);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      share: { numerator: 1, denominator: 2, percent: 50 },
      pairs: [
        { from: { target: 'shard_00' }, to: { target: 'shard_02' } },
        { from: { target: 'shard_01' }, to: { target: 'shard_03' } },
      ],
    });
  });

  it('RSH-5: a slot map says whose slots go', async () => {
    const { lines } = await runVerb(planCommand, [
      '--from',
      'algorithm: slot-map, by: user_id, map: { a: 0-31, b: 32-63 }',
      '--to',
      'algorithm: slot-map, by: user_id, map: { a: 0-31, b: 32-47, c: 48-63 }',
    ]);
    expect(lines.slice(-1)).toEqual(['b     c   1/4    25 %']);
  });

  it('compares two configurations, and shows many pairs by target', async () => {
    const from = fileWith(ordersConfig(16));
    const to = fileWith(ordersConfig(64));
    const args = ['shop.orders', '-c', from, '--to', to, '--rows', '64000'];
    const { lines } = await runVerb(planCommand, args);
    expect(lines[3]).toBe(
      'moves 3/4 (75 %) of evenly spread keys (one period of 4,096 was walked), 48,000 of 64,000 rows',
    );
    expect(lines[5]).toBe('96 pairs of tables move rows; by target (--json lists all):');
    expect(lines.slice(8)).toEqual([
      'db_00  db_00  3/8    37.5 %  24,000',
      'db_01  db_01  3/8    37.5 %  24,000',
    ]);
    const { lines: json } = await runVerb(planCommand, [...args, '--json']);
    const { pairs } = JSON.parse(json[0]!) as { pairs: { rows: number }[] };
    expect(pairs).toHaveLength(96);
    expect(pairs.every(({ rows }) => rows === 500)).toBe(true);
  });

  it('asks for keys where rules have no common period, and counts them', async () => {
    const ring = (on: string): string => `algorithm: ring, by: id, on: [${on}]`;
    const args = ['--from', ring('a, b'), '--to', ring('a, b, c')];
    await expect(runVerb(planCommand, args)).rejects.toThrow('no common period that could be walked');
    const { lines } = await runVerb(planCommand, [...args, '--range', '1..10000', '--json']);
    const { basis, pairs, share } = JSON.parse(lines[0]!) as {
      basis: string;
      pairs: { to: { target: string } }[];
      share: { percent: number };
    };
    expect(basis).toBe('keys');
    // A ring gives the new node's part away and moves nothing else.
    expect(pairs.map(({ to }) => to.target)).toEqual(['c', 'c']);
    expect(share.percent).toBeGreaterThan(25);
    expect(share.percent).toBeLessThan(42);
  });

  it('wants to know which of several routes is meant', async () => {
    const file = fileWith(TWICE);
    await expect(runVerb(planCommand, ['shop.orders', '-c', file, '--to', file])).rejects.toThrow(
      'has several routes of shop.orders',
    );
    const chosen = ['shop.orders', '-c', file, '--to', file, '--route', 'orders'];
    const { lines } = await runVerb(planCommand, chosen);
    expect(lines.at(-1)).toContain('moves nothing (0 %)');
  });

  it.each([
    ['neither table nor rule', ['--to', modulo(2)]],
    ['both', ['shop.orders', '--from', modulo(2), '--to', modulo(2)]],
    ['no new rule', ['--from', modulo(2)]],
    ['rows that are no number', ['--from', modulo(2), '--to', modulo(2), '--rows', 'many']],
  ])('refuses %s as misuse', async (_, args) => {
    await expect(runVerb(planCommand, args)).rejects.toMatchObject({ exitCode: 1 });
  });
});
