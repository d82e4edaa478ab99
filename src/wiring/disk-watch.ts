/** How much of the disk that a folder is on is free. */
import { statfsSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import type { StatsFs } from 'node:fs';
import { RowferryError } from '../errors.ts';
import { systemCode } from '../config/interpolate.ts';

export interface DiskFacts {
  /** The folder, with `(tmpfs)` behind it where what looks like a disk is memory. */
  readonly name: string;
  /** Free part, of what others than the superuser may use; null while it is not known. */
  readonly free: number | null;
}

/** Blocks of a disk. */
type Space = Pick<StatsFs, 'bavail' | 'blocks'>;

/** A share of the network that hangs holds one thread of four that all files share: it is not asked a second time. */
const SILENT_MS = 30_000;

/** `f_type` of statfs(2) for file systems that are kept in memory. */
const IN_MEMORY: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
]);

export class DiskWatch {
  readonly #folder: string;
  readonly #name: string;
  readonly #ask: (folder: string) => Promise<Space>;
  readonly #now: () => number;
  #free: number | null = null;
  #askedMs: number | null = null;

  /** `ask` and `now` are for tests. */
  constructor(
    folder: string,
    ask = async (path: string): Promise<Space> => await statfs(path),
    now = () => performance.now(),
  ) {
    this.#folder = folder;
    this.#name = diskName(folder);
    this.#ask = ask;
    this.#now = now;
  }

  get facts(): DiskFacts {
    const isSilent = this.#askedMs !== null && this.#now() - this.#askedMs > SILENT_MS;
    return { name: this.#name, free: isSilent ? null : this.#free };
  }

  /** Asks again, unless the last answer is still waited for. */
  look(): void {
    if (this.#askedMs !== null) return;
    this.#askedMs = this.#now();
    const answered = (free: number | null): void => {
      this.#free = free;
      this.#askedMs = null;
    };
    void this.#ask(this.#folder).then(
      ({ bavail, blocks }) => answered(blocks > 0 ? bavail / blocks : null),
      () => answered(null),
    );
  }
}

/** Told at the start, since a name may be part of what was told of an alert before. */
function diskName(folder: string): string {
  try {
    const kind = IN_MEMORY.get(statfsSync(folder).type);
    return kind === undefined ? folder : `${folder} (${kind})`;
  } catch {
    return folder;
  }
}

/** Throws ROWFERRY_CONFIG_INVALID naming each folder of `alerts.disks` that is not there: nobody would ever hear of it. */
export function needDisks(folders: readonly string[]): void {
  const problems = folders.flatMap((folder) => {
    try {
      statSync(folder);
      return [];
    } catch (error) {
      return [`alerts.disks: ${folder} is not there (${systemCode(error)})`];
    }
  });
  if (problems.length === 0) return;
  throw new RowferryError('ROWFERRY_CONFIG_INVALID', problems.join('\n'), {
    hint: 'name folders of the machine or container that the daemon runs in; mount them there if need be',
  });
}
