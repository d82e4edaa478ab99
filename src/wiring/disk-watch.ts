/** How much of the disk that a folder is on is free. */
import { statfs } from 'node:fs/promises';
import type { StatsFs } from 'node:fs';
import { RowferryError } from '../errors.ts';
import type { Config } from '../config/config.ts';
import { systemCode } from '../config/interpolate.ts';
import type { Log } from '../model/log.ts';
import { sleep } from '../runtime/backoff.ts';

export interface DiskFacts {
  /** The folder, with `(tmpfs)` behind it where what looks like a disk is memory. */
  readonly name: string;
  /** Free part, of what others than the superuser may use; null while it is not known. */
  readonly free: number | null;
}

/** Blocks of a disk, and what kind of file system it is. */
type Space = Pick<StatsFs, 'bavail' | 'blocks'> & Partial<Pick<StatsFs, 'type'>>;
type Ask = (folder: string) => Promise<Space>;

const askSystem: Ask = async (folder) => await statfs(folder);

/** A share of the network that hangs holds one thread of four that all files share: it is not asked a second time. */
const SILENT_MS = 30_000;
/** So long it may hold up the start. */
const START_MS = 2_000;

/** `f_type` of statfs(2) for file systems that are kept in memory. */
const IN_MEMORY: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
]);

export class DiskWatch {
  readonly #folder: string;
  readonly #ask: Ask;
  readonly #now: () => number;
  #name: string;
  #free: number | null = null;
  #askedMs: number | null = null;

  private constructor(folder: string, ask: Ask, now: () => number) {
    this.#folder = folder;
    this.#name = folder;
    this.#ask = ask;
    this.#now = now;
  }

  /**
   * Asks for the first time. The name is made of the answer and stays, since it may be part of what was told of an alert before;
   * `failure` is why there was none: an error of the system, or `silent`. `ask`, `now` and `startMs` are for tests.
   */
  static async open(
    folder: string,
    { ask = askSystem, now = () => performance.now(), startMs = START_MS } = {},
  ): Promise<{ readonly disk: DiskWatch; readonly failure: unknown }> {
    const disk = new DiskWatch(folder, ask, now);
    const waited = new AbortController();
    const first = disk.#look();
    const silent = sleep(startMs, waited.signal).then(() => 'silent' as const);
    const answer = await Promise.race([first, silent]);
    waited.abort();
    if (answer === 'silent' || 'error' in answer)
      return { disk, failure: answer === 'silent' ? answer : answer.error };
    const kind = IN_MEMORY.get(answer.type ?? 0);
    if (kind !== undefined) disk.#name = `${folder} (${kind})`;
    return { disk, failure: null };
  }

  get facts(): DiskFacts {
    const isSilent = this.#askedMs !== null && this.#now() - this.#askedMs > SILENT_MS;
    return { name: this.#name, free: isSilent ? null : this.#free };
  }

  /** Asks again, unless the last answer is still waited for. */
  look(): void {
    if (this.#askedMs === null) void this.#look();
  }

  async #look(): Promise<Space | { readonly error: unknown }> {
    this.#askedMs = this.#now();
    try {
      const space = await this.#ask(this.#folder);
      this.#free = space.blocks > 0 ? space.bavail / space.blocks : null;
      return space;
    } catch (error) {
      this.#free = null;
      return { error };
    } finally {
      this.#askedMs = null;
    }
  }
}

/**
 * The disks of `runDir` and of `alerts.disks`. Throws ROWFERRY_CONFIG_INVALID naming each folder of `alerts.disks` that is not
 * there: nobody would ever hear of it. One that does not answer is told of in the log, and holds nothing up.
 */
export async function openDisks(
  { runDir, alerts: { disks: wanted } }: Pick<Config, 'runDir' | 'alerts'>,
  log: Log,
  options: Parameters<typeof DiskWatch.open>[1] = {},
): Promise<readonly DiskWatch[]> {
  const folders = [...new Set([runDir, ...wanted])];
  const opened = await Promise.all(
    folders.map(async (folder) => ({ folder, ...(await DiskWatch.open(folder, options)) })),
  );
  const problems = opened.flatMap(({ folder, failure }) => {
    if (failure === null || !wanted.includes(folder)) return [];
    if (failure !== 'silent') return [`alerts.disks: ${folder} is not there (${systemCode(failure)})`];
    log.warn({ folder }, `alerts.disks: ${folder} does not answer: how much of it is free is not known`);
    return [];
  });
  if (problems.length === 0) return opened.map(({ disk }) => disk);
  throw new RowferryError('ROWFERRY_CONFIG_INVALID', problems.join('\n'), {
    hint: 'name folders of the machine or container that the daemon runs in; mount them there if need be',
  });
}
