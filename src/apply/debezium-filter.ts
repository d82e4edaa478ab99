/**
 * Drops repetitions from a partition that Debezium writes, which writes at least once: after a restart it goes back to its last
 * saved offset and writes again what followed.
 *
 * Applying a repetition would do no lasting harm, since what followed follows again; rows would show the past for a while.
 * Dropping news would lose it for ever. So a change is dropped only when it is surely a repetition: its writer (connector and
 * server) is the one that was read last, it stands before the last place *and* it is older than the newest change. News stands
 * behind the last place of its writer; where positions begin anew (the binlog was reset, a server replays what its predecessor
 * logged), it is not older than what was there before. Everything else is accepted, and the place goes back with it: so all
 * that follows is accepted again too, and the rows end as the topic ends.
 *
 * Rows of a snapshot are always accepted and move nothing: they are read anew at each snapshot and stand where they belong in
 * the order of offsets.
 *
 * What a watermark keeps: the writer as epoch, file, position, and as `half` the newest time.
 */
import type { PartitionSequence } from '../targets/target.ts';
import type { ChangeFilter, Ordered } from './topic-reader.ts';

export class DebeziumFilter implements ChangeFilter {
  #writer: number;
  #file: number;
  #position: number;
  #newestMs: number;

  constructor(start: PartitionSequence) {
    this.#writer = start.epoch;
    this.#file = start.file;
    this.#position = start.end;
    this.#newestMs = start.half;
  }

  get current(): PartitionSequence {
    return { epoch: this.#writer, file: this.#file, end: this.#position, half: this.#newestMs };
  }

  accepts(writer: number, { sequence, timeMs, snapshot }: Ordered): boolean {
    if (snapshot === 'row') return true;
    const { file, end } = sequence;
    const isSameWriter = writer === this.#writer;
    const isBehind = file < this.#file || (file === this.#file && end < this.#position);
    if (isSameWriter && isBehind && timeMs < this.#newestMs) return false;
    this.#newestMs = isSameWriter ? Math.max(this.#newestMs, timeMs) : timeMs;
    this.#writer = writer;
    this.#file = file;
    this.#position = end;
    return true;
  }
}
