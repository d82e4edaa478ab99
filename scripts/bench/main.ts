/**
 * `npm run bench`: throughput of a backlog and latency of single changes, MySQL to MySQL. Servers, daemon and writers share
 * this machine, so compare only figures of one machine. The last line of standard output is one JSON object.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { median } from '../lib/percentile.ts';
import { textTable } from '../../src/cli/text-table.ts';
import type { SandboxServer } from '../sandbox/server.ts';
import { startSandbox, type Sandbox } from '../sandbox/start-sandbox.ts';
import { writeBacklog, type BacklogKind } from './backlog.ts';
import { BenchPipeline, prepareSource } from './bench-pipeline.ts';
import { measureDistribution } from './distribution.ts';
import { measureBacklog, measureLatency, type BacklogFigures, type LatencyFigures } from './measure.ts';
import { profileReport } from './profile-report.ts';
import { measureRouting } from './routing.ts';
import { COPY_SETTINGS, measureSnapshot, type CopySetting } from './snapshot.ts';

const USAGE = readFileSync(new URL('usage.txt', import.meta.url), 'utf8').trimEnd();

/** Measurements of pure parts, which need no servers. */
const PURE = new Map([
  ['--distribution', measureDistribution],
  ['--routing', measureRouting],
]);

type Workload = BacklogKind | 'latency';

/** The mixed backlog over several databases. */
const SHARDED = 'sharded';

const WORKLOADS: readonly Workload[] = ['mixed', 'inserts', 'latency'];

interface Options {
  readonly workloads: readonly Workload[];
  readonly rows: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly format: 'chunk' | 'row';
  readonly profile: boolean;
  /** 1: nothing is sharded. */
  readonly shards: number;
  /** Copies a table by these settings, and measures nothing else. */
  readonly copies: readonly CopySetting[];
}

function readOptions(args: readonly string[]): Options | string {
  const options = {
    only: { type: 'string' },
    rows: { type: 'string', default: '300000' },
    rounds: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '20' },
    format: { type: 'string', default: 'chunk' },
    profile: { type: 'boolean', default: false },
    shards: { type: 'string', default: '1' },
    snapshot: { type: 'boolean', default: false },
  } as const;
  try {
    const { format, profile, snapshot, ...given } = parseArgs({ args: [...args], options }).values;
    const copies = snapshot
      ? COPY_SETTINGS.filter((name) => given.only === undefined || name === given.only)
      : [];
    if (snapshot && copies.length === 0)
      return `with --snapshot, --only is one of ${COPY_SETTINGS.join(', ')}`;
    const shards = Number(given.shards);
    if (!(Number.isInteger(shards) && shards >= 1 && shards <= 16)) return '--shards is a number of 1 to 16';
    const only = given.only ?? (shards > 1 ? 'mixed' : undefined);
    if (shards > 1 && only !== 'mixed') return '--shards goes with the mixed backlog alone';
    const workloads = WORKLOADS.filter((name) => only === undefined || name === only);
    if (workloads.length === 0 && !snapshot) return `--only is one of ${WORKLOADS.join(', ')}`;
    if (format !== 'chunk' && format !== 'row') return '--format is chunk or row';
    const [rows, rounds, seconds] = [Number(given.rows), Number(given.rounds), Number(given.seconds)];
    if (!(rows >= 1_000) || !(rounds >= 1) || !(seconds >= 1))
      return 'rows (1,000 or more), rounds and seconds are numbers';
    return { workloads, rows, rounds, seconds, format, profile, shards, copies };
  } catch (error) {
    return (error as Error).message;
  }
}

interface Source {
  readonly server: SandboxServer;
  /** Where its binlog stood before the backlog. */
  readonly gtid: string;
  readonly changes: number;
}

interface Results {
  /** By workload; sharded runs have a name of their own. */
  readonly backlogs: Map<string, BacklogFigures[]>;
  readonly latencies: LatencyFigures[];
}

async function bench(options: Options): Promise<void> {
  const { workloads, rounds } = options;
  const folder = mkdtempSync(join(tmpdir(), 'rowferry-bench-'));
  say(`starting servers; logs are in ${folder}`);
  // A source for each workload: its binlog holds nothing that another one wrote.
  const sandbox = await startSandbox({
    mysql: [...workloads.map((name) => `source-${name}`), 'target'],
    kafka: true,
  });
  try {
    const sources = await writeSources(sandbox, options);
    const results: Results = { backlogs: new Map(), latencies: [] };
    for (let round = 1; round <= rounds; round++) {
      for (const workload of workloads) {
        for (const shards of options.shards > 1 ? [1, options.shards] : [1])
          await measure(sandbox, { workload, shards, round }, sources, folder, options, results);
      }
    }
    for (const line of report(results)) console.log(line);
    console.log(JSON.stringify(summary(results)));
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    process.stderr.write(`logs are kept in ${folder}\n`);
    throw error;
  } finally {
    await sandbox.stop();
  }
}

async function writeSources(sandbox: Sandbox, { workloads, rows }: Options): Promise<Map<Workload, Source>> {
  const sources = new Map<Workload, Source>();
  for (const [index, workload] of workloads.entries()) {
    const server = sandbox.mysql[index];
    if (server === undefined) throw new Error(`there is no source for ${workload}`);
    const gtid = await prepareSource(server);
    if (workload === 'latency') {
      sources.set(workload, { server, gtid, changes: 0 });
      continue;
    }
    const startedMs = Date.now();
    const changes = await writeBacklog(workload, `${server.url.replace(/\/$/, '')}/bench`, rows);
    say(
      `backlog ${workload}: ${changes.toLocaleString('en-US')} row changes written in ${seconds(Date.now() - startedMs)}`,
    );
    sources.set(workload, { server, gtid, changes });
  }
  return sources;
}

interface Run {
  readonly workload: Workload;
  readonly shards: number;
  readonly round: number;
}

async function measure(
  sandbox: Sandbox,
  { workload, shards, round }: Run,
  sources: ReadonlyMap<Workload, Source>,
  parent: string,
  { format, profile, seconds: latencySeconds }: Options,
  { backlogs, latencies }: Results,
): Promise<void> {
  const source = sources.get(workload);
  const target = sandbox.mysql.at(-1);
  if (source === undefined || target === undefined)
    throw new Error('the sandbox lacks a server that it was asked for');
  const pipeline = await BenchPipeline.create({
    name: shards === 1 ? `${workload}_${round}` : `sharded_${round}`,
    source: source.server,
    target,
    shards,
    brokers: sandbox.brokers,
    startFrom: { gtid: source.gtid },
    format,
    parent,
    profile,
  });
  if (workload === 'latency') {
    const figures = await measureLatency(pipeline, latencySeconds);
    latencies.push(figures);
    say(`round ${round} latency: p50 ${figures.p50Ms.toFixed(1)} ms, p99 ${figures.p99Ms.toFixed(1)} ms`);
  } else {
    const figures = await measureBacklog(pipeline, source.changes);
    const name = shards === 1 ? workload : SHARDED;
    backlogs.set(name, [...(backlogs.get(name) ?? []), figures]);
    say(
      `round ${round} ${name}: ${Math.round(figures.rowsPerSecond).toLocaleString('en-US')} rows/s, ` +
        `${figures.cpuSeconds.toFixed(1)} s of CPU, every row compared`,
    );
  }
  if (profile) for (const line of profileReport(pipeline.profileDir)) console.log(line);
}

function report({ backlogs, latencies }: Results): string[] {
  const lines: string[] = [];
  if (backlogs.size > 0) {
    const header = ['workload', 'changes', 'seconds', 'rows/s', 'CPU s', 'CPU us/row', 'peak RSS MB'];
    const rows = [...backlogs].map(([name, figures]) => {
      const middle = medians(figures);
      return [
        name,
        middle.changes,
        middle.seconds.toFixed(1),
        Math.round(middle.rowsPerSecond),
        middle.cpuSeconds.toFixed(1),
        Math.round((1e6 * middle.cpuSeconds) / middle.changes),
        Math.round(middle.peakRssMb),
      ];
    });
    lines.push('', ...textTable(header, rows));
    const ratio = shardedRatio(backlogs);
    if (ratio !== null) lines.push('', `sharded goes at ${ratio.toFixed(2)} times the rows/s of unsharded`);
  }
  if (latencies.length > 0) {
    const { p50Ms, p99Ms, samples, peakRssMb } = medians(latencies);
    const row = ['1,000 rows/s', p50Ms.toFixed(1), p99Ms.toFixed(1), samples, Math.round(peakRssMb)];
    lines.push('', ...textTable(['commit to visible', 'p50 ms', 'p99 ms', 'probes', 'peak RSS MB'], [row]));
  }
  return [...lines, ''];
}

/** Rows a second of the sharded runs over those of the others, medians both. */
function shardedRatio(backlogs: Results['backlogs']): number | null {
  const [whole, sharded] = [backlogs.get('mixed'), backlogs.get(SHARDED)];
  if (whole === undefined || sharded === undefined) return null;
  return medians(sharded).rowsPerSecond / medians(whole).rowsPerSecond;
}

function summary({ backlogs, latencies }: Results): Record<string, unknown> {
  const all = [...[...backlogs.values()].flat(), ...latencies];
  const ratio = shardedRatio(backlogs);
  return {
    ...Object.fromEntries(
      [...backlogs].map(([name, figures]) => {
        const { rowsPerSecond, cpuSeconds, peakRssMb } = medians(figures);
        return [
          name,
          {
            rowsPerSecond: Math.round(rowsPerSecond),
            cpuSeconds: round1(cpuSeconds),
            peakRssMb: Math.round(peakRssMb),
          },
        ];
      }),
    ),
    ...(latencies.length === 0
      ? {}
      : { latency: { p50Ms: round1(medians(latencies).p50Ms), p99Ms: round1(medians(latencies).p99Ms) } }),
    ...(ratio === null ? {} : { shardedRatio: Math.round(ratio * 100) / 100 }),
    peakRssMb: Math.round(Math.max(...all.map(({ peakRssMb }) => peakRssMb))),
  };
}

/** Each figure's own median over the rounds. */
function medians<T extends Record<keyof T, number>>(figures: readonly T[]): T {
  const [first] = figures;
  if (first === undefined) throw new RangeError('nothing was measured');
  const middle = { ...first };
  for (const name of Object.keys(first) as (keyof T)[]) {
    Object.assign(middle, { [name]: median(figures.map((each) => each[name])) });
  }
  return middle;
}

function round1(value: number): number {
  return Math.round(value * 10) / 10;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function say(text: string): void {
  console.log(text);
}

const args = process.argv.slice(2);
const pure = args.length === 1 ? PURE.get(args[0]!) : undefined;
const options = args.includes('--help') ? '' : pure === undefined ? readOptions(args) : undefined;
if (typeof options === 'string') {
  console.error(options === '' ? USAGE : `${options}\n${USAGE}`);
  process.exitCode = options === '' ? 0 : 2;
} else {
  // Servers and daemon end with this process; an interrupted benchmark has nothing to save.
  process.once('SIGINT', () => process.exit(130));
  try {
    if (options === undefined) pure?.(say);
    else if (options.copies.length > 0) await measureSnapshot(options);
    else await bench(options);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
