/** Parked rows of all targets, for the command line. */
import type { Config } from '../config/config.ts';
import { RowferryError } from '../errors.ts';
import type { ParkedEntry, Target } from '../targets/target.ts';
import { makeTargets } from './apply-role.ts';
import type { Away } from './look.ts';
import { lookAtTargets, orNone } from './look.ts';
import { silentLog } from './silent-log.ts';

export interface ParkedFilter {
  readonly target?: string;
  readonly table?: string;
}

interface FoundParked {
  readonly target: Target;
  readonly entry: ParkedEntry;
}

/** Hands the entries that match to `work`, and which targets could not be asked for theirs. Makes no table anywhere. */
export async function withParked(
  config: Config,
  filter: ParkedFilter,
  signal: AbortSignal,
  work: (entries: readonly FoundParked[], away: readonly Away[]) => Promise<void>,
): Promise<void> {
  const all = makeTargets(config, silentLog);
  const targets = all.filter(({ name }) => filter.target === undefined || name === filter.target);
  if (targets.length === 0) {
    throw new RowferryError('ROWFERRY_CONFIG_INVALID', `there is no target ${filter.target ?? ''}`, {
      hint: `targets are: ${all.map(({ name }) => name).join(', ')}`,
    });
  }
  try {
    const read = async (target: Target): Promise<FoundParked[]> => {
      const entries = await orNone(target.parked());
      return entries.flatMap((entry) =>
        filter.table === undefined || entry.table === filter.table ? [{ target, entry }] : [],
      );
    };
    const { answers, away } = await lookAtTargets(targets, read, signal);
    await work(
      answers.flatMap((found) => found ?? []),
      away,
    );
  } finally {
    await Promise.all(targets.map(async (target) => await target.close()));
  }
}

/** Throws when a target did not answer. */
export function needAll([first]: readonly Away[]): void {
  if (first === undefined) return;
  throw new RowferryError('ROWFERRY_TARGET_LINK', `${first.part} ${first.why}`, {
    hint: 'name one that answers as the only target, or try again later',
  });
}
