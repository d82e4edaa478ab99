/** Layouts that the tests of the planning tools share. */
import { Layout } from '../../../src/routing/layout.ts';
import type { RuleSpec } from '../../../src/routing/rule.ts';

/** Databases `db0`, `db1` … by a rule, one table in each. */
export function databases(count: number, rule: RuleSpec): Layout {
  return new Layout({ to: 'orders', targets: names(count), shards: rule, tables: null });
}

/** One database with tables by a rule. */
export function tables(rule: RuleSpec): Layout {
  return new Layout({ to: 'orders', targets: ['db'], shards: null, tables: { rule } });
}

export const modulo = (count: number, by = 'user_id'): RuleSpec => ({ algorithm: 'modulo', by, count });

/** SHR-4: databases by the high slot, tables by the low one. */
export function twoLevels(databaseCount: number, tableCount: number): Layout {
  const by = 'user_id';
  return new Layout({
    to: 'orders',
    targets: names(databaseCount),
    shards: { algorithm: 'segments', by, count: databaseCount, half: 'high' },
    tables: { rule: { algorithm: 'segments', by, count: tableCount } },
  });
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `db${i}`);
}
