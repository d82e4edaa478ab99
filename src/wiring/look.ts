/**
 * Looks at servers for somebody who waits for the answer: nothing is made or changed there, and what is away holds up nobody for
 * longer than a few seconds.
 */
import type { Config } from '../config/config.ts';
import { reachKafka } from '../drivers/kafka-admin.ts';
import type { KafkaLink } from '../drivers/kafka-client.ts';
import { serverErrorOf } from '../drivers/server-error.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import { answerWithin } from '../runtime/deadline.ts';
import type { Target } from '../targets/target.ts';
import { connectKafka } from './kafka-parts.ts';
import { silentLog } from './silent-log.ts';

/** A server that did not answer. */
export interface Away {
  /** `target west`, `kafka`. */
  readonly part: string;
  /** `cannot be reached` or `cannot be read`, and why. */
  readonly why: string;
}

/** How long a server has for its first answer. */
const REACH_MS = 3_000;
/** How long one that answers has for all of it. */
const READ_MS = 10_000;

/** ER_NO_SUCH_TABLE, undefined_table: nothing was ever applied there. */
const NO_TABLE = new Set(['1146', '42P01']);

/** What `read` tells of each target, of all at once; undefined, and a line in `away`, of one that does not answer. */
export async function lookAtTargets<T>(
  targets: readonly Target[],
  read: (target: Target) => Promise<T>,
  signal: AbortSignal,
): Promise<{ readonly answers: readonly (T | undefined)[]; readonly away: readonly Away[] }> {
  const away: Away[] = [];
  const answers = await Promise.all(
    targets.map(async (target) => {
      const late = (): RowferryError => silent('ROWFERRY_TARGET_LINK', { target: target.name });
      try {
        await answerWithin(signal, REACH_MS, () => orNone(target.watermarks()), late);
        return await answerWithin(signal, READ_MS, () => read(target), late);
      } catch (thrown) {
        signal.throwIfAborted();
        away.push(awayOf(`target ${target.name}`, thrown));
        return undefined;
      }
    }),
  );
  return { answers, away: away.toSorted((a, b) => (a.part < b.part ? -1 : 1)) };
}

/** The rows of a control table; none where it was never made, for whoever only looks makes none. */
export async function orNone<T>(rows: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await rows;
  } catch (error) {
    if (NO_TABLE.has(serverErrorOf(error)?.code ?? '')) return [];
    throw error;
  }
}

/** What `read` tells of Kafka. Rejects within a few seconds when it does not answer. */
export async function lookAtKafka<T>(
  config: Config,
  read: (link: KafkaLink, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const link = connectKafka(config, 'cli', silentLog);
  const late = (): RowferryError => silent('ROWFERRY_KAFKA_LINK', {});
  await answerWithin(signal, REACH_MS, (bounded) => reachKafka(link, bounded), late);
  return await answerWithin(signal, READ_MS, (bounded) => read(link, bounded), late);
}

export function awayOf(part: string, thrown: unknown): Away {
  const error = toRowferryError(thrown, `reading ${part}`);
  const what = error.action === 'retry' ? 'cannot be reached' : 'cannot be read';
  return { part, why: `${what}: ${error.describe()}` };
}

function silent(
  code: 'ROWFERRY_TARGET_LINK' | 'ROWFERRY_KAFKA_LINK',
  where: RowferryError['where'],
): RowferryError {
  return new RowferryError(code, 'no answer in time', { where, hint: 'look at the server and the network' });
}
