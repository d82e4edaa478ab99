/** What a statement does to one table, as far as the targets are concerned. */
import type { AdditiveStep } from '../model/schema-change.ts';

export type TableEffect =
  /** Nothing: rows and columns stay as they are. */
  | { readonly kind: 'none' }
  /** It only adds; whether a `widen column` widens, the former column tells. */
  | { readonly kind: 'additive'; readonly steps: readonly AdditiveStep[] }
  | { readonly kind: 'truncate' }
  /** Anything else, in words without values: `drops a column`. */
  | { readonly kind: 'other'; readonly why: string };
