/** What stands in the way of partitions, told once for all that met it. Pure. */
import type { Described } from '../errors.ts';
import { readDescribed } from '../errors.ts';

interface PartitionError {
  readonly topic: string;
  readonly partition: number;
  readonly error: string | null;
  readonly nextTryMs?: number | null;
}

/** Partitions of one topic that met the same error. */
interface Trouble {
  /** `shop.main/3`, `partitions 0-7 of shop.main`. */
  readonly partitions: string;
  readonly count: number;
  readonly error: Described;
  /** The earliest; null when none is known. */
  readonly nextTryMs: number | null;
}

/** What stands in the way, told once for all partitions of a topic that met it, whatever their offsets; in their order. */
export function partitionTroubles(partitions: readonly PartitionError[]): Trouble[] {
  const groups = new Map<string, { readonly error: Described; readonly of: PartitionError[] }>();
  for (const partition of partitions) {
    if (partition.error === null) continue;
    const { what, where, hint } = readDescribed(partition.error);
    const common = where.filter((place) => !/^(?:topic|partition|offset) /.test(place));
    const offset = where.filter((place) => place.startsWith('offset '));
    const key = JSON.stringify([partition.topic, what, common, hint]);
    const group = groups.get(key);
    // Where it is one partition alone, the offset tells which record it was.
    if (group === undefined)
      groups.set(key, { error: { what, where: [...common, ...offset], hint }, of: [partition] });
    else group.of.push(partition);
  }
  return [...groups.values()].map(({ error, of }) => {
    const tries = of.flatMap(({ nextTryMs }) => nextTryMs ?? []);
    const topic = of[0]?.topic ?? '';
    const numbers = of.map(({ partition }) => partition);
    const isOne = of.length === 1;
    return {
      partitions: isOne ? `${topic}/${numbers[0]}` : `partitions ${ranges(numbers)} of ${topic}`,
      count: of.length,
      error: isOne ? error : { ...error, where: error.where.filter((place) => !place.startsWith('offset ')) },
      nextTryMs: tries.length === 0 ? null : Math.min(...tries),
    };
  });
}

/** `0-3, 5, 7-8`. */
export function ranges(numbers: readonly number[]): string {
  const runs: [from: number, to: number][] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && number - last[1] <= 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
