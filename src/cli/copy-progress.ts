/** How far a table's copy is, for both screens that show it. Pure. */
import { progressOf } from '../observe/progress.ts';
import type { Progress } from '../observe/progress.ts';

const BAR_WIDTH = 20;

/** `rate` is what was copied lately, of all tables together; null when nothing is. */
export function copyProgress(
  copy: { readonly state: string; readonly rows: number; readonly estimate: number },
  rate: { readonly elapsedMs: number; readonly rows: number } | null,
): Progress {
  const { state, rows, estimate } = copy;
  if (state === 'done' || state === 'arriving') return { percent: 100, remainingMs: 0 };
  return progressOf({
    done: rows,
    total: Math.max(estimate, rows + 1),
    elapsedMs: rate?.elapsedMs ?? 0,
    doneMeanwhile: rate?.rows ?? 0,
  });
}

export function copyBar(percent: number, { unicode }: { readonly unicode: boolean }): string {
  const full = Math.floor((percent / 100) * BAR_WIDTH);
  return (unicode ? '█' : '#').repeat(full) + (unicode ? '░' : '.').repeat(BAR_WIDTH - full);
}
