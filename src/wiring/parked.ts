/** Parked rows of all targets, for the command line. */
import type { Config } from '../config/config.ts';
import { RowferryError } from '../errors.ts';
import type { ParkedEntry, Target } from '../targets/target.ts';
import { makeTargets } from './apply-role.ts';
import { silentLog } from './silent-log.ts';

export interface ParkedFilter {
  readonly target?: string;
  readonly table?: string;
}

/** Opens the targets, hands the entries that match to `work`, and closes the targets again. */
export async function withParked(
  config: Config,
  filter: ParkedFilter,
  signal: AbortSignal,
  work: (entries: readonly { readonly target: Target; readonly entry: ParkedEntry }[]) => Promise<void>,
): Promise<void> {
  const all = makeTargets(config, silentLog);
  const targets = all.filter(({ name }) => filter.target === undefined || name === filter.target);
  if (targets.length === 0) {
    throw new RowferryError('ROWFERRY_CONFIG_INVALID', `there is no target ${filter.target ?? ''}`, {
      hint: `targets are: ${all.map(({ name }) => name).join(', ')}`,
    });
  }
  try {
    const entries: { target: Target; entry: ParkedEntry }[] = [];
    for (const target of targets) {
      await target.open(signal);
      for (const entry of await target.parked()) {
        if (filter.table === undefined || entry.table === filter.table) entries.push({ target, entry });
      }
    }
    await work(entries);
  } finally {
    await Promise.all(targets.map(async (target) => await target.close()));
  }
}
