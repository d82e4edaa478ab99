/** What becomes of a statement at a captured table. Pure. */
import type { AdditiveStep } from '../model/schema-change.ts';
import type { TableStatement } from './assembled.ts';
import { isWidening, keepsText } from './widening.ts';

/** `apply`: the targets follow; `stop`: the table waits for an operator; `ignore`: the targets are somebody else's matter. */
type SchemaAction = 'apply' | 'stop' | 'ignore';

export interface SchemaPolicy {
  /** Of statements that only add; what cannot be followed stops the table unless it is to be ignored. */
  readonly ddl: SchemaAction;
  readonly truncate: SchemaAction;
}

type SchemaDecision =
  /** Of no concern to the targets. */
  | { readonly kind: 'pass' }
  /** The targets may need it, but were not to be touched. */
  | { readonly kind: 'ignore' }
  | { readonly kind: 'add'; readonly steps: readonly AdditiveStep[] }
  | { readonly kind: 'truncate' }
  | { readonly kind: 'hold'; readonly why: string };

export function decide(statement: TableStatement, { ddl, truncate }: SchemaPolicy): SchemaDecision {
  const { effect, isAccepted, hasPassed, verb } = statement;
  // No setting makes its rows nameable.
  if (statement.isKeyless === true && effect.kind === 'other') return { kind: 'hold', why: effect.why };
  if (hasPassed || effect.kind === 'none') return { kind: 'pass' };
  if (isAccepted && effect.kind !== 'other') return { kind: 'pass' };
  switch (effect.kind) {
    case 'truncate':
      if (truncate === 'apply') return { kind: 'truncate' };
      return truncate === 'ignore' ? { kind: 'ignore' } : { kind: 'hold', why: `${verb} empties it` };
    case 'additive':
      if (ddl === 'ignore') return { kind: 'ignore' };
      if (ddl === 'stop') return { kind: 'hold', why: `${verb} adds to it` };
      return added(statement, effect.steps);
    case 'other':
      if (ddl === 'ignore') return { kind: 'ignore' };
      // Also when it was acknowledged before it was read (ahead, or before a replay): the table goes on by itself once the
      // targets have what precedes it. A changed key leads to other partitions, where a newer row would overtake an older one.
      return { kind: 'hold', why: `${verb} ${effect.why}` };
  }
}

function added({ verb, former }: TableStatement, steps: readonly AdditiveStep[]): SchemaDecision {
  for (const step of steps) {
    if (step.kind !== 'widen column') continue;
    if (former === undefined) {
      return {
        kind: 'hold',
        why: `${verb} changes the type of a column, and no row since the capture began tells what it was`,
      };
    }
    const index = former.columns.findIndex(
      ({ name }) => name.toLowerCase() === step.column.name.toLowerCase(),
    );
    const column = former.columns[index];
    if (column === undefined || !isWidening(column, step.column, column.room?.charset ?? null))
      return { kind: 'hold', why: `${verb} changes a column to what may not hold all it held` };
    if (former.key.includes(index) && !keepsText(column, step.column))
      return { kind: 'hold', why: `${verb} changes how the values of a key are written` };
  }
  return { kind: 'add', steps };
}
