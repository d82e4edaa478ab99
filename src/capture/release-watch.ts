/** Tells when tables that waited for an operator may go on (table-flow.ts), and what they still wait for. */
import type { Log } from '../model/log.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import type { HeldTable, TableFlow } from './table-flow.ts';

interface ReleaseWatchOptions {
  readonly flow: TableFlow;
  /** Statements that an operator had dealt with at the beginning. */
  readonly accepted: Acknowledgements;
  /**
   * Offset after the last record of each partition of the change topic, with what lies before closed: rows that still come by a
   * name of before are dropped. The order of events that brought a row's past back otherwise: a capture has queued copied rows at
   * their mark, and is suspended or cannot reach Kafka; another one goes on, and a changed key is acknowledged; rows come by
   * the partitions of the new key; the first one sends what it had to that of the old key, where nothing newer has come by.
   */
  readonly published: (signal: AbortSignal) => Promise<readonly number[]>;
  /** Offsets up to which the appliers have applied, by partition. */
  readonly applied: () => Promise<readonly number[]>;
  readonly log: Log;
}

/** How far a held table is on its way back. */
export interface HeldProgress {
  /** Null while the operator is waited for. */
  readonly acknowledged: { readonly timeMs: number; readonly by: string } | null;
  /** What it waits for since; null before. */
  readonly waits: string | null;
}

const ASK_MS = 500;
const MOST_TOLD = 5;
const READING = 'until the capture has read all that it had read before';

export class ReleaseWatch {
  readonly #options: ReleaseWatchOptions;
  #accepted: Acknowledgements;
  #askedAtMs = 0;
  /** What was published before the last of these statements was let go. */
  #awaited: { readonly statements: string; readonly ends: readonly number[] } | undefined;
  #waits = READING;

  constructor(options: ReleaseWatchOptions) {
    this.#options = options;
    this.#accepted = options.accepted;
  }

  accept(statements: Acknowledgements): void {
    this.#accepted = statements;
  }

  progressOf(held: HeldTable): HeldProgress {
    const record = this.#accepted.ofHeld(held);
    if (record === undefined) return { acknowledged: null, waits: null };
    const { timeMs, by } = record;
    return { acknowledged: { timeMs, by }, waits: this.#waits };
  }

  /**
   * The statements that let go of a held table, when everything that was published before is at the targets; undefined until then.
   * One that is let go later begins the wait anew: its table flowed in the meantime. After a statement that changed
   * the key, rows of the new key may go to other partitions, and must not overtake those of the old one. That nobody has applied
   * anything yet is no reason to go on: appliers that come later would meet both. Only an operator knows that others consume.
   */
  async ready(signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
    const { flow, published, applied, log } = this.#options;
    const freed = flow.freedBy(this.#accepted);
    if (freed.size === 0) this.#waits = READING;
    if (freed.size === 0 || Date.now() - this.#askedAtMs < ASK_MS) return undefined;
    this.#askedAtMs = Date.now();
    const ofFreed = flow.state.held.filter(({ statement }) => freed.has(statement));
    if (ofFreed.every((held) => this.#accepted.ofHeld(held)?.waits === false)) return freed;
    const statements = JSON.stringify([...freed]);
    if (this.#awaited?.statements !== statements) {
      this.#awaited = { statements, ends: await published(signal) };
      log.info({}, 'acknowledged: the table goes on once the targets have all that precedes the statement');
    }
    const behind = behindOf(this.#awaited.ends, await applied());
    this.#waits = behind;
    return behind === '' ? freed : undefined;
  }
}

/** Which partitions are not there yet, in words; empty when all are. */
function behindOf(ends: readonly number[], offsets: readonly number[]): string {
  const late = ends.flatMap((end, partition) => {
    const next = offsets[partition] ?? 0;
    return next < end ? [`partition ${partition} (at ${next} of ${end})`] : [];
  });
  if (late.length === 0) return '';
  const more = late.length > MOST_TOLD ? ` and ${late.length - MOST_TOLD} more` : '';
  const told = `until the targets have what precedes the statement: ${late.slice(0, MOST_TOLD).join(', ')}${more}`;
  if (offsets.some((offset) => offset > 0)) return told;
  return `${told}; no applier of this pipeline has applied anything: start one or, where others consume the topic, acknowledge with --no-wait`;
}
