/** What a statement does to one table. */
import type { AdditiveStep } from '../model/schema-change.ts';

export type TableEffect =
  /** Nothing to rows and columns at the targets, which keep indexes, constraints, defaults and storage of their own. */
  | { readonly kind: 'none' }
  | {
      readonly kind: 'additive';
      /**
       * In the order of the statement. A `widen column` is what the statement asks for: whether the column holds every
       * former value only its former shape can tell (`isWidening`).
       */
      readonly steps: readonly AdditiveStep[];
    }
  | { readonly kind: 'truncate' }
  /** The table must stop. `why` is made of our own words alone: no name, no value. */
  | { readonly kind: 'other'; readonly why: string };

export const NONE: TableEffect = { kind: 'none' };

export function other(why: string): TableEffect {
  return { kind: 'other', why };
}

export const NOT_UNDERSTOOD = other('has a part that rowferry does not know');

/** All of them, one after the other. */
export function combined(effects: readonly TableEffect[]): TableEffect {
  const steps: AdditiveStep[] = [];
  for (const effect of effects) {
    if (effect.kind === 'other') return effect;
    if (effect.kind === 'truncate' && effects.length > 1) return NOT_UNDERSTOOD;
    if (effect.kind === 'truncate') return effect;
    if (effect.kind === 'additive') steps.push(...effect.steps);
  }
  return steps.length === 0 ? NONE : { kind: 'additive', steps };
}
