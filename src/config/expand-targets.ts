/** Targets whose name is a range: `db_{00..15}` with `mysql://…/trade_{}` stands for sixteen databases. */
import { expandBraces } from './braces.ts';
import type { TargetOptions } from './options.ts';

/** Targets by their own names; those whose range cannot be read are left out (the check tells of them). */
export function expandTargets(
  entries: readonly (readonly [string, TargetOptions])[],
): Map<string, TargetOptions> {
  const targets = new Map<string, TargetOptions>();
  for (const [key, target] of entries) {
    const names = expandBraces(key);
    if ('wrong' in names) continue;
    for (const { name, number } of names) {
      const { url } = target;
      const database = number === '' ? url.database : url.database.replaceAll('{}', number);
      targets.set(name, { ...target, url: { ...url, database } });
    }
  }
  return targets;
}
