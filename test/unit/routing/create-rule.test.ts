import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowferryError } from '../../../src/errors.ts';
import { createRule } from '../../../src/routing/create-rule.ts';
import type { RouteKey, RuleSpec } from '../../../src/routing/rule.ts';

const by = 'user_id';
const custom = (shardOf: (keys: readonly RouteKey[], count: number) => number, columns = [by, 'region']) =>
  createRule({ algorithm: 'custom', by: columns, count: 8, shardOf, version: '1' });

/** One valid rule of each kind that refuses texts without digits. */
const specs: readonly RuleSpec[] = [
  { algorithm: 'modulo', by, count: 4 },
  { algorithm: 'segments', by, count: 4 },
  { algorithm: 'virtual-nodes', by, max: 64, current: 4 },
  { algorithm: 'slot-map', by, map: { a: '0-63' } },
  { algorithm: 'date', by, period: 'month', since: '2026-01' },
  { algorithm: 'substring', by, at: -2, length: 2 },
  { algorithm: 'expression', expression: 'user_id % 4', count: 4 },
  {
    algorithm: 'custom',
    by: [by],
    count: 4,
    version: '1',
    shardOf: ([key]) => {
      throw new TypeError(`no idea of ${String(key)} at all`);
    },
  },
];

function thrownBy(run: () => unknown): RowferryError {
  try {
    run();
  } catch (error) {
    if (error instanceof RowferryError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('createRule', () => {
  it.each<[string, RuleSpec, RegExp]>([
    [
      'modulo 0',
      { algorithm: 'modulo', by, count: 0 },
      /"count" must be a whole number of 1 to 65536, not 0/,
    ],
    ['modulo 65537', { algorithm: 'modulo', by, count: 65_537 }, /"count"/],
    ['modulo 1.5', { algorithm: 'modulo', by, count: 1.5 }, /"count"/],
    ['modulo NaN', { algorithm: 'modulo', by, count: NaN }, /"count"/],
    [
      'segments of more than its slots',
      { algorithm: 'segments', by, count: 128 },
      /"count" must be a whole number of 1 to 64/,
    ],
    ['segments without slots', { algorithm: 'segments', by, count: 1, slots: 0 }, /"slots"/],
    [
      'virtual-nodes',
      { algorithm: 'virtual-nodes', by, max: 4, current: 8 },
      /"current" must be a whole number of 1 to 4/,
    ],
    ['virtual-nodes of none', { algorithm: 'virtual-nodes', by, max: 0, current: 1 }, /"max"/],
    ['slot-map', { algorithm: 'slot-map', by, map: { a: '0' }, slots: 70_000 }, /"slots"/],
    ['date', { algorithm: 'date', by, period: 'year', since: '2024', count: 0 }, /"count"/],
    [
      'substring of 5 digits',
      { algorithm: 'substring', by, at: 0, length: 5 },
      /"length" must be a whole number of 1 to 4/,
    ],
    ['substring at 0.5', { algorithm: 'substring', by, at: 0.5, length: 1 }, /"at"/],
    ['hash', { algorithm: 'hash', by, count: -1 }, /"count"/],
    ['hash seed', { algorithm: 'hash', by, count: 2, seed: -1 }, /"seed"/],
    ['ring points', { algorithm: 'ring', by, nodes: ['a'], points: 0 }, /"points"/],
    ['ring seed', { algorithm: 'ring', by, nodes: ['a'], seed: 0.5 }, /"seed"/],
    ['custom', { algorithm: 'custom', by: [by], count: 0, shardOf: () => 0, version: '1' }, /"count"/],
    [
      'custom without columns',
      { algorithm: 'custom', by: [], count: 1, shardOf: () => 0, version: '1' },
      /"by" is empty/,
    ],
    ['no column', { algorithm: 'modulo', by: '', count: 1 }, /"by" holds an empty name/],
  ])('refuses %s with a hint', (_, spec, message) => {
    const error = thrownBy(() => createRule(spec));
    expect([error.code, error.message]).toEqual(['ROWFERRY_CONFIG_INVALID', expect.stringMatching(message)]);
    expect(error.hint).toBeTruthy();
  });

  it('keeps the spec and its columns', () => {
    for (const spec of specs) {
      expect(createRule(spec).spec).toBe(spec);
      expect(createRule(spec).by).toEqual([by]);
    }
  });

  it.each(specs)('never shows a key that $algorithm refuses (SHR-15)', (spec) => {
    const rule = createRule(spec);
    const secret = fc.stringMatching(/^§[0-9a-f]{8}§$/);
    fc.assert(
      fc.property(secret, (key) => {
        const error = thrownBy(() => rule.indexOf(key));
        expect(error.code).toBe('ROWFERRY_ROUTE_KEY');
        expect(error.hint).toBeTruthy();
        const cause = error.cause instanceof Error ? `${error.cause.message} ${error.cause.stack}` : '';
        expect(`${error.describe()} ${error.stack} ${cause}`).not.toContain(key.slice(1, -1));
      }),
    );
  });
});

describe('custom', () => {
  it('gives its function the keys in the order of the columns, and the count', () => {
    const rule = custom((keys, count) => (Number(keys[0]) + String(keys[1]).length) % count);
    expect(rule.indexOf(9, 'eu')).toBe(3);
    expect(rule.by).toEqual([by, 'region']);
    expect(rule.cycle).toBeNull();
  });

  it.each([8, -1, 0.5, NaN, Infinity])('refuses the answer %s, which is not a shard', (answer) => {
    const error = thrownBy(() => custom(() => answer).indexOf(1, 'eu'));
    expect([error.code, error.message, error.where]).toEqual([
      'ROWFERRY_ROUTE_KEY',
      'the custom rule answered out of range: not a whole number of 0 to 7',
      { column: 'user_id, region' },
    ]);
  });

  it('never answers minus zero', () => {
    expect(Object.is(custom(() => -0).indexOf(1, 'eu'), 0)).toBe(true);
  });

  it('says what its function threw and where, without what it said', () => {
    const error = thrownBy(() =>
      custom(() => {
        throw new RangeError('first line\n    at second line');
      }).indexOf(1, 'eu'),
    );
    expect(error.message).toBe('the custom rule threw RangeError');
    const stack = error.cause instanceof Error ? error.cause.stack : '';
    expect(stack).toContain('create-rule.test.ts');
    expect(stack).not.toMatch(/first line|second line/);
  });

  it('wraps a throw that is no error', () => {
    const thrown: unknown = 'text';
    const error = thrownBy(() =>
      custom(() => {
        throw thrown;
      }).indexOf(1, 'eu'),
    );
    expect(error.message).toBe('the custom rule threw a string');
  });
});
