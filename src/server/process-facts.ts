/** What the operating system says of this process. */
import { readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

export interface ProcessFacts {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Null where the system does not tell. */
  readonly openFiles: number | null;
  readonly runDirFreeBytes: number | null;
  readonly runDirBytes: number | null;
}

export async function processFacts(runDir: string): Promise<ProcessFacts> {
  const { user, system } = process.cpuUsage();
  const disk = await statfs(runDir).catch(() => null);
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    openFiles: openFiles(),
    runDirFreeBytes: disk === null ? null : disk.bavail * disk.bsize,
    runDirBytes: disk === null ? null : disk.blocks * disk.bsize,
  };
}

function openFiles(): number | null {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return null;
  }
}
