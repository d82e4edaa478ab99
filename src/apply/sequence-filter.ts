/** Drops what a partition has already seen (I-3): older epochs, and row by row what is not newer than the running maximum. */
import type { Sequence } from '../model/position.ts';
import type { PartitionSequence } from '../targets/target.ts';

export class SequenceFilter {
  #epoch: number;
  #file: number;
  #end: number;
  #half: number;

  constructor(start: PartitionSequence) {
    this.#epoch = start.epoch;
    this.#file = start.file;
    this.#end = start.end;
    this.#half = start.half;
  }

  /** The running maximum, to be saved with the offset up to which records were shown to `accepts`. */
  get current(): PartitionSequence {
    return { epoch: this.#epoch, file: this.#file, end: this.#end, half: this.#half };
  }

  /** True, and the maximum moves, when this change is new. A newer epoch starts a new count: it replays an older past. */
  accepts(epoch: number, { sequence }: { readonly sequence: Sequence }): boolean {
    const { file, end, half } = sequence;
    if (epoch < this.#epoch) return false;
    if (epoch === this.#epoch) {
      const order = file - this.#file || end - this.#end || half - this.#half;
      if (order <= 0) return false;
    }
    this.#epoch = epoch;
    this.#file = file;
    this.#end = end;
    this.#half = half;
    return true;
  }
}
