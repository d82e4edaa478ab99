/**
 * Drops repetitions from a partition that Debezium writes, which writes at least once: after a restart it goes back to its last
 * saved offset and writes again what followed.
 *
 * Applying a repetition would do no lasting harm, since what followed follows again; rows would show the past for a while.
 * Dropping news would lose it for ever. So a change is dropped only when it is surely a repetition: its server is the one that
 * was read last, it stands before the last place *and* it is older than the newest change. News stands behind the last place
 * of its server; where positions begin anew (another server took over, the binlog was reset), it is not older than what was
 * there before. Everything else is accepted, and the place goes back with it: so all that follows is accepted again too, and
 * the rows end as the topic ends.
 *
 * Rows of a snapshot are always accepted and move nothing: they are read anew at each snapshot and stand where they belong in
 * the order of offsets.
 *
 * What a watermark keeps: the server as epoch (its id + 1), file, position, and as `half` the newest time.
 */
import type { PartitionSequence } from '../targets/target.ts';
import type { ChangeFilter, Ordered } from './topic-reader.ts';

export class DebeziumFilter implements ChangeFilter {
  #server: number;
  #file: number;
  #position: number;
  #newestMs: number;

  constructor(start: PartitionSequence) {
    this.#server = start.epoch;
    this.#file = start.file;
    this.#position = start.end;
    this.#newestMs = start.half;
  }

  get current(): PartitionSequence {
    return { epoch: this.#server, file: this.#file, end: this.#position, half: this.#newestMs };
  }

  accepts(server: number, { sequence, timeMs, snapshot }: Ordered): boolean {
    if (snapshot === 'row') return true;
    const { file, end } = sequence;
    const isKnownServer = server === this.#server;
    const isBehind = file < this.#file || (file === this.#file && end < this.#position);
    if (isKnownServer && isBehind && timeMs < this.#newestMs) return false;
    this.#newestMs = isKnownServer ? Math.max(this.#newestMs, timeMs) : timeMs;
    this.#server = server;
    this.#file = file;
    this.#position = end;
    return true;
  }
}
