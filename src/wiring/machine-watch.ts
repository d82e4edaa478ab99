/** How the machine fares: its processors, the process's memory, a disk. Looked at now and then; asking costs next to nothing. */
import { statfs } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';

export interface MachineFacts {
  /** Processor time that is in use, of all; null before there is a stretch of time to tell it of. */
  readonly cpuUsage: number | null;
  /** What the process uses, of what its container or this machine has. */
  readonly memoryUsage: number;
  /** Free part of the disk that a folder is on; null when the system does not tell. */
  readonly diskFree: number | null;
}

const LOOK_MS = 5_000;

export class MachineWatch {
  readonly #folder: string;
  readonly #looking = setInterval(() => this.#look(), LOOK_MS).unref();
  #times: readonly ProcessorTimes[] = [processorTimes()];
  #diskFree: number | null = null;

  constructor(folder: string) {
    this.#folder = folder;
    this.#look();
  }

  get facts(): MachineFacts {
    const first = this.#times[0];
    const last = this.#times.at(-1);
    return {
      cpuUsage: first === undefined || last === undefined ? null : usage(first, last),
      memoryUsage: process.memoryUsage.rss() / mostMemory(),
      diskFree: this.#diskFree,
    };
  }

  stop(): void {
    clearInterval(this.#looking);
  }

  #look(): void {
    // Two stretches: one that has just begun tells of a moment only.
    this.#times = [...this.#times, processorTimes()].slice(-3);
    void statfs(this.#folder).then(
      ({ bavail, blocks }) => (this.#diskFree = blocks > 0 ? bavail / blocks : null),
      () => (this.#diskFree = null),
    );
  }
}

export interface ProcessorTimes {
  readonly idle: number;
  readonly all: number;
}

export function usage(first: ProcessorTimes, last: ProcessorTimes): number | null {
  const all = last.all - first.all;
  return all <= 0 ? null : Math.min(1, Math.max(0, 1 - (last.idle - first.idle) / all));
}

function processorTimes(): ProcessorTimes {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { idle, all };
}

/** Without a container's limit the system tells none, or one that is larger than the machine. */
function mostMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}
