/**
 * The daemon: one thread for each source's capture and one for apply, their status gathered into one file.
 *
 *     running ──stop signal──> draining ──all threads ended──> ended
 *        └──a role failed──> draining (the others get `drainMs` to finish what they hold) ──> ended with that error
 */
import { Worker } from 'node:worker_threads';
import type { Config } from '../config/config.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { sleep } from '../runtime/backoff.ts';
import type { RoleMessage, RoleStatus, RoleThreadData, SentError } from './role-thread.ts';
import { StatusFile } from './status-file.ts';

export type Role = 'all' | 'capture' | 'apply';

/**
 * A thread's heap. V8 lets garbage pile up in proportion to the limit, which by default is gigabytes: a small one keeps the
 * daemon small at the same speed. It leaves room for a transaction of very large rows.
 */
const HEAP = { maxYoungGenerationSizeMb: 24, maxOldGenerationSizeMb: 512 };

/** One role in its thread. */
class RoleThread {
  readonly name: string;
  readonly #worker: Worker;
  status: RoleStatus = { capture: null, partitions: [] };
  #failure: RowferryError | undefined;
  readonly ended: Promise<void>;

  constructor(name: string, data: RoleThreadData) {
    this.name = name;
    this.#worker = new Worker(new URL('./role-thread.js', import.meta.url), {
      workerData: data,
      name,
      resourceLimits: HEAP,
    });
    this.ended = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: RoleMessage) => {
        if (message.type === 'status') this.status = message.status;
        else this.#failure = revive(message.error);
      });
      this.#worker.on('error', (cause) => {
        this.#failure = new RowferryError(
          'ROWFERRY_INVARIANT',
          `the ${name} thread broke: ${cause.message}`,
          {
            cause,
            hint: 'this is a bug of rowferry: keep the log and report it',
          },
        );
      });
      this.#worker.on('exit', (code) => {
        if (this.#failure !== undefined) reject(this.#failure);
        else if (code === 0) resolve();
        else reject(new RowferryError('ROWFERRY_INVARIANT', `the ${name} thread ended with code ${code}`));
      });
    });
  }

  stop(): void {
    this.#worker.postMessage('stop');
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }
}

function revive({ code, message, where, hint }: SentError): RowferryError {
  return new RowferryError(code, message, hint === undefined ? { where } : { where, hint });
}

/** Runs until the signal aborts or a role fails; then every thread gets `drainMs` to finish what it holds. */
export async function runDaemon(config: Config, role: Role, log: Log, signal: AbortSignal): Promise<void> {
  const threads: RoleThread[] = [];
  const common = { configFile: config.file, seesSources: role === 'all' };
  if (role !== 'capture') threads.push(new RoleThread('apply', { ...common, source: null }));
  if (role !== 'apply') {
    for (const { name } of config.sources)
      threads.push(new RoleThread(`capture ${name}`, { ...common, source: name }));
  }
  const statusFile = new StatusFile(config, role);
  const writing = setInterval(
    () =>
      statusFile.write(
        threads.map(({ status }) => status),
        log,
      ),
    500,
  );
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  log.info({ role, pid: process.pid }, 'rowferry runs');
  let failure: RowferryError | undefined;
  try {
    await Promise.race([stopped, ...threads.map(({ ended }) => ended)]);
  } catch (error) {
    failure = toRowferryError(error, 'running a role');
    log.error({ code: failure.code }, `${failure.describe()}; finishing what was read`);
    // What is in Kafka is applied on the next start in any case: a short while lets most of it arrive now.
    await Promise.race([stopped, sleep(Math.min(config.drainMs, 3_000), signal)]);
  }
  log.info({}, 'stopping');
  await endThreads(threads, config.drainMs, log);
  clearInterval(writing);
  statusFile.remove();
  if (failure !== undefined) throw failure;
  const outcomes = await Promise.allSettled(threads.map(({ ended }) => ended));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  log.info({}, 'stopped');
}

async function endThreads(threads: readonly RoleThread[], drainMs: number, log: Log): Promise<void> {
  for (const thread of threads) thread.stop();
  const all = Promise.allSettled(threads.map(({ ended }) => ended));
  const late = new AbortController();
  const inTime = await Promise.race([all.then(() => true), sleep(drainMs, late.signal).then(() => false)]);
  late.abort();
  if (inTime) return;
  log.warn(
    { drainMs },
    'not everything ended in time; leaving: nothing is lost, the next start goes on from the watermarks',
  );
  await Promise.all(threads.map(async (thread) => await thread.terminate()));
}
