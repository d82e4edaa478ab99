/**
 * The order of a batch's transactions (A3). Pure.
 *
 * At every instant a moved row is in at least one target (I-6): the target that gains it commits before the one that loses it.
 * Where a target both gains and loses, its transaction is cut in two; `planned` keeps the plan, so that whoever takes over
 * after a crash in between folds the same batch to its end again (A2).
 */
import type { TargetWork } from './fold.ts';

type StageKind =
  /** Everything and the watermark in one transaction. */
  | 'full'
  /** Phase one: upserts, plain deletes, parking and `planned_end`. */
  | 'arrive'
  /** Phase two: the deletes of moved rows and the watermark. */
  | 'leave'
  /** No rows: only the watermark. */
  | 'watermark';

export interface StageStep {
  readonly target: number;
  readonly kind: StageKind;
}

/**
 * Stages of one batch: the steps of a stage run side by side, a stage starts when the one before it has committed
 * everywhere.
 *
 * `behind` are the targets whose `next` is below the batch's end; only they take part. `idle` says whether those without rows
 * write their watermark too (at markers and when a first batch has to reach a planned end).
 */
export function planStages(
  work: ReadonlyMap<number, TargetWork>,
  behind: readonly number[],
  idle: boolean,
): readonly (readonly StageStep[])[] {
  const first: StageStep[] = [];
  const second: StageStep[] = [];
  for (const target of behind) {
    const mine = work.get(target);
    if (mine === undefined) {
      if (idle) first.push({ target, kind: 'watermark' });
    } else if (!mine.loses) {
      first.push({ target, kind: 'full' });
    } else if (!mine.gains) {
      second.push({ target, kind: 'full' });
    } else {
      first.push({ target, kind: 'arrive' });
      second.push({ target, kind: 'leave' });
    }
  }
  return [first, second].filter((stage) => stage.length > 0);
}
