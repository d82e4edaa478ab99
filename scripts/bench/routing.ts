/**
 * `npm run bench -- --routing`: what one call of each sharding algorithm costs. Rounds of all algorithms in turn, so that a
 * busy moment of the machine meets all of them alike; the median round counts.
 */
import { createRule } from '../../src/routing/create-rule.ts';
import { Layout } from '../../src/routing/layout.ts';
import type { RouteKey, RuleSpec } from '../../src/routing/rule.ts';
import { median } from '../lib/percentile.ts';
import { Random } from '../lib/random.ts';
import { textTable } from '../../src/cli/text-table.ts';

const ROUNDS = 15;
const CALLS = 200_000;
/** A power of two; different keys, so that no branch or cache learns one of them by heart. */
const KEYS = 4_096;
const NUMERIC_LIMIT_NS = 1_000;
const TEXT_LIMIT_NS = 2_000;

interface Subject {
  readonly name: string;
  readonly keys: string;
  readonly limitNs: number;
  readonly call: (key: RouteKey) => number;
  readonly values: readonly RouteKey[];
}

/** Prints nanoseconds a call; throws when an algorithm is slower than its limit. */
export function measureRouting(print: (line: string) => void): void {
  const subjects = subjectsOf(new Random(1));
  const timesNs = subjects.map((): number[] => []);
  let used = 0;
  for (let round = -2; round < ROUNDS; round++) {
    for (const [i, { call, values }] of subjects.entries()) {
      const startedNs = process.hrtime.bigint();
      for (let n = 0; n < CALLS; n++) used += call(values[n % KEYS]!);
      // The first rounds only warm up.
      if (round >= 0) timesNs[i]!.push(Number(process.hrtime.bigint() - startedNs) / CALLS);
    }
  }
  const medians = timesNs.map((times) => median(times) ?? NaN);
  const rows = subjects.map(({ name, keys, limitNs }, i) => [name, keys, Math.round(medians[i]!), limitNs]);
  for (const line of textTable(['rule', 'keys', 'ns/call', 'limit ns'], rows)) print(line);
  const ns = Object.fromEntries(
    subjects.map(({ name, keys }, i) => [`${name} of ${keys}`, Math.round(medians[i]!)]),
  );
  print(JSON.stringify({ routing: { nsPerCall: ns, rounds: ROUNDS, checksum: used } }));
  const slow = subjects.filter(({ limitNs }, i) => !(medians[i]! <= limitNs));
  if (slow.length > 0)
    throw new Error(
      `slower than the limit: ${slow.map(({ name, keys }) => `${name} of ${keys}`).join(', ')}`,
    );
}

function subjectsOf(random: Random): Subject[] {
  const many = (make: () => RouteKey): RouteKey[] => Array.from({ length: KEYS }, make);
  const ids = many(() => random.between(0, 2_147_483_647));
  // Past what a double holds: as the worker has BIGINT.
  const bigIds = many(() => `9${String(random.between(0, 999_999_999)).padStart(18, '0')}`);
  const texts = many(() => `customer-${random.between(0, 1e9)}-${random.between(0, 1e9)}@mail.example.org`);
  const dates = many(
    () => `2026-0${random.between(1, 9)}-1${random.between(0, 9)} 12:34:${random.between(10, 59)}.123456`,
  );
  const by = 'key';
  const numeric: readonly RuleSpec[] = [
    { algorithm: 'modulo', by, count: 16 },
    { algorithm: 'segments', by, count: 16 },
    { algorithm: 'segments', by, count: 16, half: 'high' },
    { algorithm: 'virtual-nodes', by, max: 64, current: 16 },
    { algorithm: 'slot-map', by, map: { a: '0-15', b: '16-31, 40', c: '32-39, 41-63' } },
    { algorithm: 'expression', expression: '(key / 64) % 16', count: 16 },
  ];
  const hashes: readonly RuleSpec[] = [
    { algorithm: 'hash', by, count: 16 },
    { algorithm: 'ring', by, nodes: ['a', 'b', 'c', 'd'] },
  ];
  const others: readonly (readonly [RuleSpec, string, readonly RouteKey[]])[] = [
    [{ algorithm: 'date', by, period: 'month', since: '2024-01' }, 'DATETIME(6)', dates],
    [{ algorithm: 'substring', by, at: -1, length: 1 }, 'BIGINT', bigIds],
  ];
  return [
    ...numeric.flatMap((spec) => [
      subject(spec, 'INT', ids, NUMERIC_LIMIT_NS),
      subject(spec, 'BIGINT', bigIds, NUMERIC_LIMIT_NS),
    ]),
    ...hashes.flatMap((spec) => [
      subject(spec, 'BIGINT', bigIds, TEXT_LIMIT_NS),
      subject(spec, 'text', texts, TEXT_LIMIT_NS),
    ]),
    ...others.map(([spec, keys, values]) => subject(spec, keys, values, TEXT_LIMIT_NS)),
    layoutSubject('BIGINT', bigIds),
  ];
}

function subject(spec: RuleSpec, keys: string, values: readonly RouteKey[], limitNs: number): Subject {
  const rule = createRule(spec);
  const half = 'half' in spec ? ` ${spec.half}` : '';
  return { name: `${spec.algorithm}${half}`, keys, limitNs, values, call: (key) => rule.indexOf(key) };
}

/** Both levels at once, as the applier asks. */
function layoutSubject(keys: string, values: readonly RouteKey[]): Subject {
  const by = 'key';
  const cellOf = new Layout({
    to: 'orders',
    targets: Array.from({ length: 16 }, (_, i) => `db_${i}`),
    shards: { algorithm: 'segments', by, count: 16, half: 'high' },
    tables: { rule: { algorithm: 'segments', by, count: 16 } },
  }).cellFinder([by]);
  return {
    name: 'two levels of segments',
    keys,
    limitNs: 2 * NUMERIC_LIMIT_NS,
    values,
    call: (key) => cellOf([key]),
  };
}
