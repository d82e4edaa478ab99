/**
 * The daemon: one thread for each source's capture and one for apply, their status gathered into one.
 *
 *     running ──stop signal──> draining ──all threads ended──> ended
 *        └──a role failed──> draining (the others get `drainMs` to finish what they hold) ──> ended with that error
 */
import { Worker } from 'node:worker_threads';
import type { Config } from '../config/config.ts';
import type { ErrorCode } from '../errors.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { LevelledLog } from '../observe/log.ts';
import type { Log } from '../model/log.ts';
import { sleep } from '../runtime/backoff.ts';
import type { DaemonAlerts } from './alert-watch.ts';
import { AlertWatch } from './alert-watch.ts';
import type { DiskWatch } from './disk-watch.ts';
import { openDisks } from './disk-watch.ts';
import type { DaemonStatus } from './daemon-status.ts';
import { StatusGatherer, statusAt } from './daemon-status.ts';
import type {
  RoleCommand,
  RoleMessage,
  RoleStatus,
  RoleThreadData,
  RoleView,
  SentError,
} from './role-messages.ts';
import { StatusFile } from './status-file.ts';
import { StuckWatch } from './stuck-watch.ts';
import { ToldLags } from './told-lags.ts';

export type Role = 'all' | 'capture' | 'apply';

/**
 * A thread's heap. V8 lets garbage pile up in proportion to the limit, which by default is gigabytes: a small one keeps the
 * daemon small at the same speed. It leaves room for a transaction of very large rows. The young part is as large as the rows
 * of the batches on their way: those would otherwise be moved to the old part before they are garbage.
 */
const HEAP = { maxYoungGenerationSizeMb: 48, maxOldGenerationSizeMb: 512 };
const GATHER_MS = 500;
/** How long alerts that wait to be told hold up the end. */
const LAST_ALERTS_MS = 3_000;
/** How long the end of a thread is waited for that is not asked but ended. */
const TERMINATE_MS = 5_000;

/** A running daemon as those see it who show and steer it. */
export interface RunningDaemon {
  readonly config: Config;
  readonly log: LevelledLog;
  readonly startedMs: number;
  /** At most half a second old, with lags that are known to rise as they are now. */
  readonly status: DaemonStatus;
  readonly roles: readonly RoleView[];
  readonly alerts: DaemonAlerts;
  /** Aborts when the daemon begins to stop. */
  readonly stopping: AbortSignal;
  command(command: Exclude<RoleCommand, { readonly type: 'stop' }>): void;
  /** Calls back with each new status and the one before it. */
  onStatus(listener: (now: DaemonStatus, before: DaemonStatus) => void): void;
}

/** Something that serves a daemon for as long as it runs. */
export interface DaemonService {
  /** `http://host:port`. */
  readonly address: string;
  close(): Promise<void>;
}

/** One role in its thread. */
class RoleThread implements RoleView {
  readonly name: string;
  readonly #worker: Worker;
  readonly #fail: (error: RowferryError) => void;
  status: RoleStatus | undefined;
  reportedMs = Date.now();
  #failure: RowferryError | undefined;
  /** It was not waited for any longer, which is no failure of its own. */
  #isLeft = false;
  /** Settles as soon as the role is done or has failed, which is before its thread has tidied up. */
  readonly done: Promise<void>;
  /** The thread is gone; rejects with what the role failed of. */
  readonly ended: Promise<void>;
  /** Its checks are passed, or wait for a server. */
  readonly checked: Promise<void>;

  constructor(name: string, data: RoleThreadData) {
    this.name = name;
    this.#worker = new Worker(new URL('./role-thread.js', import.meta.url), {
      workerData: data,
      name,
      resourceLimits: HEAP,
    });
    let checked = (): void => {};
    this.checked = new Promise((resolve) => (checked = resolve));
    let tell: (error: RowferryError) => void = () => {};
    const failed = new Promise<never>((_, reject) => (tell = reject));
    const fail = (error: RowferryError): void => {
      this.#failure ??= error;
      tell(error);
    };
    this.#fail = fail;
    this.#worker.on('message', (message: RoleMessage) => {
      if (message.type === 'status') {
        this.status = message.status;
        this.reportedMs = Date.now();
        if (message.status.outages.length > 0) checked();
      } else if (message.type === 'checked') checked();
      else fail(stopped(name, message.error));
    });
    this.#worker.on('error', (cause) => fail(broken(name, cause)));
    this.ended = new Promise((resolve, reject) => {
      this.#worker.on('exit', (code) => {
        if (!this.#isLeft && code !== 0) this.#failure ??= broken(name, code);
        if (this.#failure === undefined) resolve();
        else reject(this.#failure);
      });
    });
    this.done = Promise.race([failed, this.ended]);
    // Whoever waits for neither hears of both all the same.
    for (const promise of [this.ended, this.done]) promise.catch(() => undefined);
  }

  get failureCode(): ErrorCode | undefined {
    return this.#failure?.code;
  }

  send(command: RoleCommand): void {
    this.#worker.postMessage(command);
  }

  /** Nothing that it is told reaches it any more. */
  giveUp(silentMs: number): void {
    if (this.#failure !== undefined) return;
    this.#fail(stuck(this.name, silentMs));
    void this.#worker.terminate();
  }

  /** Ends it where it stands: that is no failure. */
  async leave(): Promise<void> {
    this.#isLeft = true;
    await this.#worker.terminate();
  }
}

/** What ends the daemon is the last line that it writes: which part stopped, why, and the way on. */
function stopped(part: string, { code, message, where, hint = LOOK_HINT }: SentError): RowferryError {
  return new RowferryError(code, `${part} stopped: ${message}`, { where, hint });
}

/** A thread that was not asked to end and did: of what was thrown past its role, or with an exit code. */
function broken(name: string, how: Error | number): RowferryError {
  if (typeof how === 'number')
    return new RowferryError('ROWFERRY_INVARIANT', `the ${name} thread ended with code ${how}`);
  const isFull = (how as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
  return new RowferryError('ROWFERRY_INVARIANT', `the ${name} thread broke: ${how.message}`, {
    cause: how,
    hint: isFull
      ? 'its heap was too small for what it held: smaller batches and queues (docs/configuration.md), or smaller rows'
      : 'this is a bug of rowferry: keep the log and report it',
  });
}

/** Its event loop does not turn, although the process has its share of time. */
function stuck(name: string, silentMs: number): RowferryError {
  const what = `the ${name} thread has told nothing for ${Math.round(silentMs / 1000)} s, while the process itself went on`;
  return new RowferryError('ROWFERRY_INVARIANT', `${what}: it is stuck`, {
    hint: 'start again, it goes on from what is saved; keep the log and report it, with what the thread did last',
  });
}

const HANGS = 'a thread cannot be ended: it is in a call of the system that does not come back';
const LOOK_HINT = 'mend that, then start again: it goes on from what is saved';

/** The threads of a daemon and what they tell. */
class Daemon implements RunningDaemon {
  readonly config: Config;
  readonly log: LevelledLog;
  readonly startedMs = Date.now();
  readonly alerts: AlertWatch;
  readonly #stop = new AbortController();
  readonly #gatherer: StatusGatherer;
  readonly #lags = new ToldLags();
  readonly #stuck = new StuckWatch();
  readonly #listeners: ((now: DaemonStatus, before: DaemonStatus) => void)[] = [];
  #threads: readonly RoleThread[] = [];
  /** A thread does not end, whatever is done. */
  hangs = false;
  #http: string | null = null;
  #status: DaemonStatus;

  constructor(config: Config, role: Role, log: LevelledLog, disks: readonly DiskWatch[]) {
    this.config = config;
    this.log = log;
    this.alerts = new AlertWatch(config, log, { role, startedMs: this.startedMs }, disks);
    this.#gatherer = new StatusGatherer({ name: config.name, role, startedMs: this.startedMs });
    this.#status = this.#gatherer.gather([], null, this.startedMs);
  }

  get status(): DaemonStatus {
    return statusAt(this.#status, Date.now());
  }

  get roles(): readonly RoleThread[] {
    return this.#threads;
  }

  get stopping(): AbortSignal {
    return this.#stop.signal;
  }

  serves(address: string): void {
    this.#http = address;
  }

  startApply(role: Role): RoleThread {
    const thread = new RoleThread('apply', { ...this.#common(role), source: null });
    this.#threads = [...this.#threads, thread];
    return thread;
  }

  startCaptures(role: Role): void {
    const captures = this.config.sources.map(
      ({ name }) => new RoleThread(`capture ${name}`, { ...this.#common(role), source: name }),
    );
    this.#threads = [...this.#threads, ...captures];
  }

  #common(role: Role): Omit<RoleThreadData, 'source'> {
    return { configFile: this.config.file, seesSources: role === 'all' };
  }

  gather(): DaemonStatus {
    const before = this.#status;
    const nowMs = Date.now();
    const views = this.#lags.at(this.#threads, nowMs);
    const told = views.flatMap(({ status }) => (status === undefined ? [] : [status]));
    this.#status = this.#gatherer.gather(told, this.#http, nowMs);
    this.alerts.look(views, nowMs);
    // Alerts have looked first: one that is stuck has been late for long. Who is told to stop has its time to do so.
    if (!this.stopping.aborted)
      for (const { name, silentMs } of this.#stuck.look(this.#threads, performance.now()))
        this.#threads.find((thread) => thread.name === name)?.giveUp(silentMs);
    for (const listener of this.#listeners) listener(this.#status, before);
    return this.#status;
  }

  command(command: Exclude<RoleCommand, { readonly type: 'stop' }>): void {
    for (const thread of this.#threads) thread.send(command);
  }

  onStatus(listener: (now: DaemonStatus, before: DaemonStatus) => void): void {
    this.#listeners.push(listener);
  }

  stops(): void {
    this.#stop.abort();
  }
}

/**
 * Runs until the signal aborts or a role fails; then every thread gets `drainMs` to finish what it holds. `serve` is started
 * before the roles, so that its errors come before any row, and closed after them.
 */
export async function runDaemon(
  config: Config,
  role: Role,
  log: LevelledLog,
  signal: AbortSignal,
  serve?: (daemon: RunningDaemon) => Promise<DaemonService>,
): Promise<void> {
  const statusFile = new StatusFile(config, role);
  const daemon = new Daemon(config, role, log, await openDisks(config, log));
  let service: DaemonService | undefined;
  try {
    service = await serve?.(daemon);
    if (service !== undefined) daemon.serves(service.address);
    await runThreads(daemon, role, statusFile, signal);
  } finally {
    await Promise.all([service?.close(), daemon.alerts.close(Math.min(config.drainMs, LAST_ALERTS_MS))]);
    // An orderly end would wait for that thread.
    if (daemon.hangs) {
      log.error({}, `${HANGS}: the process kills itself; nothing is lost`);
      process.kill(process.pid, 'SIGKILL');
    }
  }
}

async function runThreads(
  daemon: Daemon,
  role: Role,
  statusFile: StatusFile,
  signal: AbortSignal,
): Promise<void> {
  const { config, log } = daemon;
  const gathering = setInterval(() => statusFile.write(daemon.gather(), log), GATHER_MS);
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  log.info({ role, pid: process.pid }, 'rowferry runs');
  let failure: RowferryError | undefined;
  try {
    if (role !== 'capture') {
      const apply = daemon.startApply(role);
      // With routes that are refused it must not take the source from a capture that works.
      if (role === 'all') await Promise.race([stopped, apply.checked, apply.done]);
    }
    if (role !== 'apply' && !signal.aborted) daemon.startCaptures(role);
    await Promise.race([stopped, ...daemon.roles.map(({ done }) => done)]);
  } catch (error) {
    failure = toRowferryError(error, 'running a role');
    // Looked at once more before anything else: somebody is told of what ends here.
    statusFile.write(daemon.gather(), log);
    log.error({ code: failure.code }, `${failure.describe()}; finishing what was read`);
    // What is in Kafka is applied on the next start in any case: a short while lets most of it arrive now.
    if (daemon.roles.length > 1)
      await Promise.race([stopped, sleep(Math.min(config.drainMs, 3_000), signal)]);
  }
  log.info({}, 'stopping');
  daemon.stops();
  const threads = daemon.roles;
  const haveEnded = await endThreads(threads, config.drainMs, log);
  clearInterval(gathering);
  statusFile.remove();
  if (!haveEnded) daemon.hangs = true;
  if (failure !== undefined || !haveEnded) throw failure ?? new RowferryError('ROWFERRY_INVARIANT', HANGS);
  const outcomes = await Promise.allSettled(threads.map(({ ended }) => ended));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  log.info({}, 'stopped');
}

/** Answers whether all have ended. */
async function endThreads(threads: readonly RoleThread[], drainMs: number, log: Log): Promise<boolean> {
  for (const thread of threads) thread.send({ type: 'stop' });
  const all = Promise.allSettled(threads.map(({ ended }) => ended));
  if (await isWithin(all, drainMs)) return true;
  log.warn(
    { drainMs },
    'not everything ended in time; leaving: nothing is lost, the next start goes on from the watermarks',
  );
  return await isWithin(Promise.all(threads.map(async (thread) => await thread.leave())), TERMINATE_MS);
}

async function isWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const late = new AbortController();
  const inTime = await Promise.race([work.then(() => true), sleep(ms, late.signal).then(() => false)]);
  late.abort();
  return inTime;
}
