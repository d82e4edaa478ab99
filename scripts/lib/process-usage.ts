/** What a process has used, from /proc; undefined where there is none. */
import { readFileSync } from 'node:fs';

export interface ProcessUsage {
  /** User and system time of all its threads, ended ones included. */
  readonly cpuSeconds: number;
  /** Resident memory now. */
  readonly rssMb: number;
  /** Largest resident memory so far. */
  readonly peakRssMb: number;
}

/** Kernel ticks a second: fixed at 100 for user space on Linux. */
const TICKS = 100;

export function processUsage(pid: number): ProcessUsage | undefined {
  let stat: string;
  let status: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  // The command, in brackets, may hold spaces: utime and stime are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const kb = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
    rssMb: kb('VmRSS') / 1024,
    peakRssMb: kb('VmHWM') / 1024,
  };
}
