/**
 * `npm run demo`: a shop with rows gets its tables at a MySQL and a PostgreSQL, is copied and ferried there through Kafka
 * under load while the daemon is killed twice, then every row and every table is compared. The last line of standard output is
 * one JSON object; exit code 0 means all is equal.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mismatches } from '../lib/compare.ts';
import { comparisonReport } from '../lib/compare-report.ts';
import { compareUntilEqual } from '../lib/compare-until.ts';
import type { DaemonView } from '../lib/daemon-status.ts';
import type { Daemon } from '../lib/daemon.ts';
import { PROGRAM } from '../lib/daemon.ts';
import { Random } from '../lib/random.ts';
import { SHOP_TABLES } from '../lib/shop.ts';
import { Workload } from '../lib/workload.ts';
import { CrashRun } from './crash-run.ts';
import { LiveLine } from './live-line.ts';
import { buildStage, fillShop, makeIndexes, makeTables, schemaDifferences, type Stage } from './stage.ts';

const USAGE = readFileSync(new URL('usage.txt', import.meta.url), 'utf8').trimEnd();

const SIZE = { users: 4_000, products: 1_000, orders: 20_000 };
const CONNECTIONS = 4;
const KILLS = 2;
const CATCH_UP_MS = 90_000;
const SETTLE_MS = 20_000;

interface Options {
  readonly keep: boolean;
  readonly seconds: number;
  readonly rate: number;
  readonly seed: number;
}

function readOptions(args: readonly string[]): Options | string {
  const options = {
    keep: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '20' },
    rate: { type: 'string', default: '800' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  } as const;
  try {
    const { values } = parseArgs({ args: [...args], options });
    const [seconds, rate, seed] = [Number(values.seconds), Number(values.rate), Number(values.seed)];
    if (!(seconds >= 5) || !(rate >= 1) || !Number.isSafeInteger(seed))
      return 'seconds (5 or more), rate and seed are numbers';
    return { keep: values.keep, seconds, rate, seed };
  } catch (error) {
    return (error as Error).message;
  }
}

async function demo(options: Options, signal: AbortSignal): Promise<number> {
  const startedMs = Date.now();
  const line = new LiveLine();
  line.print(`seed ${options.seed}; starting MySQL twice, PostgreSQL and Kafka`);
  const stage = await buildStage();
  let kept = false;
  try {
    line.print(`servers are up; the daemon's log and configuration are in ${stage.folder}`);
    const seeded = await fillShop(stage, SIZE, new Random(options.seed));
    line.print(`source: ${seeded.toLocaleString('en-US')} rows in users, products, orders`);
    line.print(`schema plan, schema apply: ${await makeTables(stage)} tables at the targets, by SQL files`);
    const { ok, daemon, summary } = await ferry(stage, options, seeded, line, signal);
    const seconds = Math.round((Date.now() - startedMs) / 100) / 10;
    kept = !ok;
    if (options.keep) tellAround(stage, line);
    line.print(JSON.stringify({ ok, ...summary, seconds }));
    if (options.keep) await untilAborted(signal);
    await daemon.stop();
    return ok ? 0 : 1;
  } catch (error) {
    kept = true;
    throw error;
  } finally {
    line.end();
    if (kept) process.stderr.write(`the daemon's log is kept: ${join(stage.folder, 'rowferry.log')}\n`);
    else rmSync(stage.folder, { recursive: true, force: true });
    await stage.sandbox.stop();
  }
}

interface Outcome {
  readonly ok: boolean;
  /** Still running with `--keep`. */
  readonly daemon: Daemon;
  readonly summary: Readonly<Record<string, number | null>>;
}

async function ferry(
  stage: Stage,
  { seconds, rate, seed, keep }: Options,
  seeded: number,
  line: LiveLine,
  signal: AbortSignal,
): Promise<Outcome> {
  const load = new Workload({
    url: stage.source.url,
    connections: CONNECTIONS,
    changesPerSecond: rate,
    seed,
    size: SIZE,
  });
  const startedMs = Date.now();
  const run = new CrashRun(stage, (status, kills) => line.show(statusLine(startedMs, load, status, kills)));
  const closing = new AbortController();
  const working = load.run(AbortSignal.any([signal, closing.signal]));
  const ending = new AbortController();
  // A copy gives way to live changes: on a slow machine it ends after the load.
  const patienceMs = seconds * 1_000 + 2 * CATCH_UP_MS;
  const indexing = makeIndexesWhenCopied(
    stage,
    run,
    line,
    patienceMs,
    AbortSignal.any([signal, ending.signal]),
  );
  indexing.catch(() => undefined);
  let ended = false;
  try {
    for (let part = 0; part <= KILLS; part++) {
      await Promise.race([run.work((seconds * 1_000) / (KILLS + 1), signal), working]);
      if (part === KILLS) break;
      await run.killAndRestart();
      line.print(`kill -9 number ${run.kills}; started again`);
    }
    // Still under load: it gets back to a small lag by itself.
    await Promise.race([run.recover(signal), working]);
    closing.abort();
    const { changes, transactions, rolledBack, moves, keyChanges } = await working;
    signal.throwIfAborted();
    line.print(
      `load: ${changes.toLocaleString('en-US')} row changes in ${transactions.toLocaleString('en-US')} transactions ` +
        `(${moves} moves between users, ${keyChanges} key changes), ${rolledBack} rolled back`,
    );
    const stoppedMs = Date.now();
    await indexing;
    await run.untilApplied(stoppedMs, CATCH_UP_MS);
    line.print(
      `from commit to applied: ${run.delayMs(0.5)} ms for half of the changes, ${run.delayMs(0.99)} ms for 99 % (kills included)`,
    );
    line.print(
      `caught up ${((Date.now() - stoppedMs) / 1_000).toFixed(1)} s after the load ended; comparing every row`,
    );
    const [comparison, differences] = await Promise.all([
      compareUntilEqual(stage.comparisons, SETTLE_MS),
      schemaDifferences(stage),
    ]);
    for (const text of ['', ...comparisonReport(comparison), '']) line.print(text);
    line.print(`schema diff: ${differences.length === 0 ? 'no difference' : differences.join('\n')}`);
    const ok = mismatches(comparison) === 0 && differences.length === 0 && run.kills === KILLS;
    await run.end({ keepDaemon: keep });
    ended = true;
    return {
      ok,
      daemon: run.daemon,
      summary: {
        rowsCompared: comparison.compared,
        changes: seeded + changes,
        mismatches: mismatches(comparison),
        schemaDifferences: differences.length,
        kills: run.kills,
        lagMsP50: run.delayMs(0.5),
        lagMsP99: run.delayMs(0.99),
      },
    };
  } finally {
    closing.abort();
    ending.abort();
    await Promise.allSettled([working, indexing]);
    if (!ended) await run.end({ keepDaemon: false });
  }
}

async function makeIndexesWhenCopied(
  stage: Stage,
  run: CrashRun,
  line: LiveLine,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const startedMs = Date.now();
  await run.untilCopied(SHOP_TABLES.length, timeoutMs, signal);
  const seconds = ((Date.now() - startedMs) / 1_000).toFixed(1);
  line.print(`copied within ${seconds} s; schema apply: ${await makeIndexes(stage)} indexes`);
}

function statusLine(
  startedMs: number,
  load: Workload,
  status: DaemonView | undefined,
  kills: number,
): string {
  const seconds = (Date.now() - startedMs) / 1_000;
  const { changes } = load.totals;
  return [
    `${seconds.toFixed(0).padStart(3)} s`,
    `source ${changes.toLocaleString('en-US')} changes`,
    status === undefined
      ? 'daemon starting'
      : `applying ${status.rowsPerSecond.toLocaleString('en-US')} rows/s`,
    status === undefined || status.lagMs === null
      ? 'lag –'
      : `lag ${status.lagMs.toLocaleString('en-US')} ms`,
    `kills ${kills}`,
  ].join('  │  ');
}

function tellAround(
  { configFile, envFile, folder, source, east, west, sandbox }: Stage,
  line: LiveLine,
): void {
  for (const text of [
    'everything stays up:',
    `  source    ${source.url}`,
    `  east      ${east.url}`,
    `  west      ${west.url}`,
    `  kafka     ${sandbox.brokers.join(',')}`,
    'look around:',
    `  set -a; . ${envFile}; set +a`,
    `  node ${PROGRAM} status --config ${configFile}`,
    `  node ${PROGRAM} parked list --config ${configFile}`,
    `  node ${PROGRAM} schema diff --config ${configFile}   # the SQL files: ${join(folder, 'schema')}`,
    `stop it with Ctrl-C, or: kill ${process.pid}`,
  ]) {
    line.print(text);
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  const alive = setInterval(() => undefined, 60_000);
  if (!signal.aborted) {
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
  clearInterval(alive);
}

const options = process.argv.includes('--help') ? '' : readOptions(process.argv.slice(2));
if (typeof options === 'string') {
  console.error(options === '' ? USAGE : `${options}\n${USAGE}`);
  process.exitCode = options === '' ? 0 : 2;
} else {
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () =>
      interrupted.signal.aborted ? process.exit(130) : interrupted.abort(new Error('interrupted')),
    );
  }
  try {
    process.exitCode = await demo(options, interrupted.signal);
  } catch (error) {
    console.error((error as Error).message);
    console.log(JSON.stringify({ ok: false, error: (error as Error).message.split('\n')[0] }));
    process.exitCode = 1;
  }
}
