/** How the machine fares: its processors, the process's memory, disks. Looked at now and then; asking costs next to nothing. */
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { CpuGroup } from './cpu-limit.ts';
import { cpuGroups, groupUsage } from './cpu-limit.ts';
import type { DiskFacts } from './disk-watch.ts';
import type { DiskWatch } from './disk-watch.ts';

interface MachineFacts {
  /** Processor time that is in use, of what the container or service may use, else of the machine's; null before there is a stretch of time to tell it of. */
  readonly cpuUsage: number | null;
  /** What the process uses, of what its container or this machine has. */
  readonly memoryUsage: number;
  readonly disks: readonly DiskFacts[];
}

const LOOK_MS = 5_000;

interface CpuLook {
  readonly times: ProcessorTimes;
  readonly groups: readonly CpuGroup[];
  readonly atSeconds: number;
}

export class MachineWatch {
  readonly #disks: readonly DiskWatch[];
  readonly #looking = setInterval(() => this.#look(), LOOK_MS).unref();
  #looks: readonly CpuLook[] = [cpuLook()];

  constructor(disks: readonly DiskWatch[]) {
    this.#disks = disks;
  }

  get facts(): MachineFacts {
    const first = this.#looks[0];
    const last = this.#looks.at(-1);
    return {
      cpuUsage: first === undefined || last === undefined ? null : cpuUsage(first, last),
      memoryUsage: process.memoryUsage.rss() / mostMemory(),
      disks: this.#disks.map(({ facts }) => facts),
    };
  }

  stop(): void {
    clearInterval(this.#looking);
  }

  #look(): void {
    // Two stretches: one that has just begun tells of a moment only.
    this.#looks = [...this.#looks, cpuLook()].slice(-3);
    for (const disk of this.#disks) disk.look();
  }
}

interface ProcessorTimes {
  readonly idle: number;
  readonly all: number;
}

export function usage(first: ProcessorTimes, last: ProcessorTimes): number | null {
  const all = last.all - first.all;
  return all <= 0 ? null : Math.min(1, Math.max(0, 1 - (last.idle - first.idle) / all));
}

/** Of a limit that holds now; where there is none, of the machine. */
function cpuUsage(first: CpuLook, last: CpuLook): number | null {
  if (last.groups.length === 0) return usage(first.times, last.times);
  return groupUsage(first.groups, last.groups, last.atSeconds - first.atSeconds);
}

function cpuLook(): CpuLook {
  const processors = cpus();
  return {
    times: processorTimes(processors),
    groups: cpuGroups(readText, processors.length),
    atSeconds: performance.now() / 1000,
  };
}

/** Of the kernel's own files, which are never on a disk. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function processorTimes(processors: ReturnType<typeof cpus>): ProcessorTimes {
  let idle = 0;
  let all = 0;
  for (const { times } of processors) {
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
