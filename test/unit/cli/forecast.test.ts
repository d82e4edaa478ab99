import { describe, expect, it } from 'vitest';
import { forecastCommand } from '../../../src/cli/forecast.ts';
import { fileWith, ordersConfig, runVerb, TWICE } from '../../support/run-verb.ts';

const RULE = 'algorithm: modulo, by: user_id, count: 3';

describe('rowferry forecast', () => {
  it('draws rows by target, their spread and a verdict', async () => {
    const { lines, exitCode } = await runVerb(forecastCommand, ['--rule', RULE, '--range', '0..2999']);
    expect(lines).toEqual([
      'targets: user_id mod 3',
      '3,000 rows in 3 physical tables',
      '',
      'rows of each target',
      `shard_00  1,000  ${'█'.repeat(43)}`,
      `shard_01  1,000  ${'█'.repeat(43)}`,
      `shard_02  1,000  ${'█'.repeat(43)}`,
      '',
      'spread over  count    min    max  mean   skew    empty',
      '───────────  ─────  ─────  ─────  ─────  ──────  ─────',
      'each target      3  1,000  1,000  1,000  1.0000      0',
      '',
      'good: skew 1.0000 is within 1.2',
    ]);
    expect(exitCode).toBe(0);
  });

  it('stays within ASCII when asked to', async () => {
    const { lines } = await runVerb(forecastCommand, ['--rule', RULE, '--range', '0..2999', '--ascii']);
    expect(lines.join('')).toMatch(/^[ -~]*$/);
    expect(lines[4]).toBe(`shard_00  1,000  ${'#'.repeat(43)}`);
  });

  it('fails past the accepted skew', async () => {
    const args = ['--rule', RULE, '--range', '0..3'];
    const { lines, exitCode } = await runVerb(forecastCommand, args);
    expect(lines.at(-1)).toBe('BAD: the fullest physical table holds 1.5000 times the mean, more than 1.2');
    expect(exitCode).toBe(4);
    expect((await runVerb(forecastCommand, [...args, '--max-skew', '1.5'])).exitCode).toBe(0);
  });

  it('fails for a table without a row unless that is allowed', async () => {
    const args = ['--rule', RULE, '--range', '0..1', '--max-skew', '3'];
    const { lines, exitCode } = await runVerb(forecastCommand, args);
    expect(lines.at(-1)).toBe('BAD: 1 physical tables get no row (--allow-empty accepts that)');
    expect(exitCode).toBe(4);
    expect((await runVerb(forecastCommand, [...args, '--allow-empty'])).exitCode).toBe(0);
  });

  it('counts keys that the rule refuses, from a file of any length, and prints none of them', async () => {
    const file = fileWith(`\uFEFF0\r\n1\r\n2\r\nsecret\r\n\r\n5`, 'ids.txt');
    const { lines, exitCode } = await runVerb(forecastCommand, ['--rule', RULE, '--file', file, '--json']);
    const result: unknown = JSON.parse(lines[0]!);
    expect(result).toMatchObject({
      rows: 4,
      refused: [{ rows: 1 }, { rows: 1 }],
      verdict: { ok: false },
    });
    expect(lines.join('')).not.toContain('secret');
    expect(exitCode).toBe(4);
  });

  it('reads a file in pieces and puts lines together that were cut', async () => {
    // Of a line that lost its head the first digit would be another one.
    const file = fileWith('71111111\n'.repeat(300_000), 'ids.txt');
    const rule = 'algorithm: substring, by: phone, at: 0, length: 1';
    const { lines } = await runVerb(forecastCommand, ['--rule', rule, '--file', file, '--json']);
    const { targets, rows } = JSON.parse(lines[0]!) as { rows: number; targets: { rows: number }[] };
    expect(rows).toBe(300_000);
    expect(targets.map(({ rows }) => rows)).toEqual([0, 0, 0, 0, 0, 0, 0, 300_000, 0, 0]);
  });

  it('forecasts a table of the configuration, with ids beyond 2^53', async () => {
    const config = fileWith(ordersConfig(16));
    const range = '9007199254740992..9007199254745087';
    const args = ['shop.orders', '-c', config, '--range', range, '--json'];
    const { lines } = await runVerb(forecastCommand, args);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      rows: 4_096,
      byTarget: { places: 2, min: 2_048, max: 2_048 },
      byCell: { places: 32, min: 128, max: 128 },
    });
  });

  it('takes the columns of several routes from a file with tabs, and refuses a line that lacks one', async () => {
    const config = fileWith(TWICE);
    const good = fileWith('1\t7\n2\t8\n', 'rows.tsv');
    const args = ['shop.orders', '-c', config, '--allow-empty', '--max-skew', '99', '--json', '--file'];
    const { lines } = await runVerb(forecastCommand, [...args, good]);
    expect(lines.map((line) => (JSON.parse(line) as { rows: number }).rows)).toEqual([2, 2]);
    const bad = fileWith('1\t7\n2\n', 'rows.tsv');
    await expect(runVerb(forecastCommand, [...args, bad])).rejects.toThrow(
      `${bad}:2: holds 1 of the 2 values user_id, supplier_id`,
    );
  });

  it('says nothing when it was stopped half-way', async () => {
    const args = ['--rule', RULE, '--range', '0..2999'];
    const { lines, exitCode } = await runVerb(forecastCommand, args, { signal: AbortSignal.abort() });
    expect(lines).toEqual(['! stopped before the last key: nothing can be said']);
    expect(exitCode).toBe(5);
  });

  it.each([
    ['no rule', ['--range', '0..9']],
    ['a table and a rule', ['shop.orders', '--rule', RULE, '--range', '0..9']],
    ['no keys', ['--rule', RULE]],
    ['two kinds of keys', ['--rule', RULE, '--range', '0..9', '--file', 'x']],
    ['a range that ends before it begins', ['--rule', RULE, '--range', '9..0']],
    ['a skew below 1', ['--rule', RULE, '--range', '0..9', '--max-skew', '0.9']],
  ])('refuses %s as misuse', async (_, args) => {
    await expect(runVerb(forecastCommand, args)).rejects.toMatchObject({ exitCode: 1 });
  });

  it.each([
    [
      'algorithm: modulo, cuont: 4',
      '--rule: count: is missing\n--rule: cuont: is no option; did you mean count?',
    ],
    ['algorithm: custom, count: 4', '--rule: a custom rule needs a configuration file that names its module'],
    ['{{', '--rule: is no YAML'],
    ['algorithm: modulo, count: 0', '--rule: count: must be a whole number from 1 to 65536'],
    ['algorithm: segments, count: 5', 'segments rule: 64 slots cannot be shared evenly by 5 shards'],
  ])('refuses the rule %j by what is wrong with it', async (rule, message) => {
    await expect(runVerb(forecastCommand, ['--rule', rule, '--range', '0..9'])).rejects.toMatchObject({
      code: 'ROWFERRY_CONFIG_INVALID',
      message,
    });
  });

  it('refuses two levels that leave cells empty for ever (SHR-5)', async () => {
    const rule = 'algorithm: segments, count: 64';
    const args = ['--rule', rule, '--tables-rule', rule, '--range', '0..9'];
    await expect(runVerb(forecastCommand, args)).rejects.toThrow(
      'only 64 of 4096 cells would ever get a row',
    );
  });
});
