/**
 * What a process has told of alerts and was told by other programs, as a file in `runDir` that the next start takes over: an alert that fires at a stop or a
 * crash is resolved by the next process, under the same fingerprint, what a channel did not take is told by it, and what was
 * reported counts for as long as it would have.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Log } from '../model/log.ts';
import type { KeptAlerts } from '../observe/alerts/alerts.ts';
import type { Measure } from '../observe/alerts/measures.ts';
import { fileStart, isAlive, isTrusted } from './status-file.ts';

interface Content {
  /** Goes with the file from process to process. */
  readonly key: string;
  readonly kept: KeptAlerts;
  readonly measures: readonly Measure[];
}

const NOTHING: KeptAlerts = { firing: [], waiting: {} };

export class AlertFile {
  readonly #path: string;
  readonly #log: Log;
  #content: Content;
  #failed = false;

  /** Takes over the file of a process of the same role on this machine that is gone, if there is one. */
  constructor(config: Config, role: string, log: Log) {
    const { runDir } = config;
    const start = fileStart(config, role);
    this.#path = join(runDir, `${start}${process.pid}.alerts.json`);
    this.#log = log;
    for (const left of leftBehind(runDir, start)) {
      try {
        // Of two processes that start at once one gets it: the other finds nothing to rename.
        renameSync(left, this.#path);
        break;
      } catch {
        // Somebody else took it.
      }
    }
    this.#content = readContent(this.#path) ?? { key: randomUUID(), kept: NOTHING, measures: [] };
  }

  get key(): string {
    return this.#content.key;
  }

  /** At first what the process before this one left. */
  get kept(): KeptAlerts {
    return this.#content.kept;
  }

  get measures(): readonly Measure[] {
    return this.#content.measures;
  }

  /** Keeps what is given; the rest stays as it is. */
  write(news: Partial<Omit<Content, 'key'>>): void {
    this.#content = { ...this.#content, ...news };
    const draft = `${this.#path}.draft`;
    try {
      writeFileSync(draft, JSON.stringify(this.#content), { mode: 0o600 });
      renameSync(draft, this.#path);
      this.#failed = false;
    } catch (error) {
      // Alerts are told without it. Said once, until it works again.
      if (!this.#failed)
        this.#log.warn(
          { path: this.#path },
          `alerts are not kept over a restart, the file cannot be written: ${(error as Error).message}`,
        );
      this.#failed = true;
    }
  }
}

function leftBehind(runDir: string, start: string): string[] {
  try {
    mkdirSync(runDir, { recursive: true });
    return readdirSync(runDir).flatMap((file) => {
      const [, pid] = file.startsWith(start)
        ? (/^(\d+)\.alerts\.json$/.exec(file.slice(start.length)) ?? [])
        : [];
      return pid === undefined || isAlive(Number(pid)) ? [] : [join(runDir, file)];
    });
  } catch {
    return [];
  }
}

function readContent(path: string): Content | undefined {
  try {
    if (!isTrusted(path)) return undefined;
    const { key, kept, measures } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Content>;
    if (key === undefined || !Array.isArray(kept?.firing) || kept.waiting === undefined) return undefined;
    return { key, kept, measures: Array.isArray(measures) ? measures.filter(isMeasure) : [] };
  } catch {
    return undefined;
  }
}

/** Whoever reported tells again; what another version wrote, or a hand, must not keep the daemon from its start. */
function isMeasure(found: unknown): found is Measure {
  const { metric, labels, value, dimension, atMs, by } = (found ?? {}) as Partial<
    Record<keyof Measure, unknown>
  >;
  return (
    [metric, dimension, by].every((text) => typeof text === 'string') &&
    [value, atMs].every((number) => Number.isFinite(number)) &&
    typeof labels === 'object' &&
    labels !== null &&
    Object.values(labels).every((label) => typeof label === 'string')
  );
}
