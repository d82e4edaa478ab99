/** The measurements: how fast a backlog goes through, and how long a change takes from its commit to being visible. */
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { setTimeout as sleep } from 'node:timers/promises';
import { compareTables, mismatches } from '../lib/compare.ts';
import { describeDifference } from '../lib/compare-report.ts';
import type { Daemon } from '../lib/daemon.ts';
import { percentile } from '../lib/percentile.ts';
import { processUsage, type ProcessUsage } from '../lib/process-usage.ts';
import { waitUntil } from '../lib/wait-until.ts';
import { DONE_ROWS, steadyInserts, withConnection } from './backlog.ts';
import type { BenchPipeline } from './bench-pipeline.ts';

const POLL_MS = 20;
const START_TIMEOUT_MS = 60_000;
const BACKLOG_TIMEOUT_MS = 600_000;

export interface BacklogFigures {
  readonly changes: number;
  readonly seconds: number;
  readonly rowsPerSecond: number;
  /** CPU time of the daemon, its start included. */
  readonly cpuSeconds: number;
  readonly peakRssMb: number;
}

export interface LatencyFigures {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly samples: number;
  readonly peakRssMb: number;
}

/** Lets a pipeline work off its backlog; the time runs from the first change seen at the target to the last. */
export async function measureBacklog(pipeline: BenchPipeline, changes: number): Promise<BacklogFigures> {
  const daemon = pipeline.start();
  try {
    const [firstMs, lastMs] = await withConnection(pipeline.targetUrl, async (connection) => [
      await seen(connection, daemon, pipeline.startedQuery, 1, START_TIMEOUT_MS),
      await seen(connection, daemon, pipeline.doneQuery, DONE_ROWS, BACKLOG_TIMEOUT_MS),
    ]);
    const { cpuSeconds, peakRssMb } = usageOf(daemon);
    await refuseDifferences(pipeline);
    const seconds = (lastMs - firstMs) / 1_000;
    return { changes, seconds, rowsPerSecond: changes / seconds, cpuSeconds, peakRssMb };
  } finally {
    await daemon.stop();
  }
}

/** Waits until the first value of a query reaches `wanted`; answers when that was, by the clock of this process. */
async function seen(
  connection: Connection,
  daemon: Daemon,
  sql: string,
  wanted: number,
  timeoutMs: number,
): Promise<number> {
  return await waitUntil(
    async () => {
      if (daemon.exit !== undefined) throw new Error(`the daemon ended (${daemon.describeExit()})`);
      const [rows] = await connection.query<RowDataPacket[][]>({ sql, rowsAsArray: true });
      return Number(rows[0]?.[0]) >= wanted ? performance.now() : undefined;
    },
    {
      what: `"${sql}" to be ${wanted}`,
      timeoutMs,
      intervalMs: POLL_MS,
      onError: 'fail',
      details: () => daemon.logTail(),
    },
  );
}

const ROWS_PER_SECOND = 1_000;
const PROBE_EVERY_MS = 50;
const MEMORY_EVERY_MS = 100;
const WARM_UP_MS = 5_000;

/** Times single-row transactions among a steady load of 1,000 rows a second. */
export async function measureLatency(pipeline: BenchPipeline, seconds: number): Promise<LatencyFigures> {
  const daemon = pipeline.start();
  const stop = new AbortController();
  try {
    await daemon.untilRunning(START_TIMEOUT_MS);
    const load = steadyInserts(pipeline.sourceUrl, ROWS_PER_SECOND, stop.signal);
    const probes = Math.round((seconds * 1_000) / PROBE_EVERY_MS);
    const goesOn = (sent: number): boolean => sent < probes;
    const probing = sleep(WARM_UP_MS).then(async () => await probe(pipeline, daemon, { firstId: 0, goesOn }));
    const latencies = await Promise.race([
      probing,
      load.then(() => Promise.reject(new Error('the load ended early'))),
    ]);
    stop.abort();
    await load;
    const { peakRssMb } = usageOf(daemon);
    return {
      p50Ms: percentile(latencies, 0.5) ?? NaN,
      p99Ms: percentile(latencies, 0.99) ?? NaN,
      samples: latencies.length,
      peakRssMb,
    };
  } finally {
    stop.abort();
    await daemon.stop();
  }
}

/** Writes a probe row now and then and looks for it at the target all the time. */
async function probe(
  pipeline: BenchPipeline,
  daemon: Daemon,
  { firstId, goesOn }: { readonly firstId: number; readonly goesOn: (sent: number) => boolean },
): Promise<number[]> {
  const committedMs = new Map<number, number>();
  const latencies: number[] = [];
  const pending = { writing: true };
  const write = withConnection(pipeline.sourceUrl, async (connection) => {
    for (let id = firstId; goesOn(id - firstId); id++) {
      await connection.query('INSERT INTO probe VALUES (?)', [id]);
      committedMs.set(id, performance.now());
      await sleep(PROBE_EVERY_MS);
    }
    pending.writing = false;
  });
  const watch = withConnection(pipeline.targetUrl, async (connection) => {
    while (pending.writing || committedMs.size > 0) {
      if (daemon.exit !== undefined)
        throw new Error(`the daemon ended (${daemon.describeExit()})\n${daemon.logTail()}`);
      const [oldest] = committedMs.keys();
      if (oldest !== undefined) {
        const [rows] = await connection.query<RowDataPacket[][]>({
          sql: `SELECT id FROM probe WHERE id >= ${oldest}`,
          rowsAsArray: true,
        });
        const nowMs = performance.now();
        for (const [id] of rows) {
          const sinceMs = committedMs.get(Number(id));
          // A row may arrive before its commit's answer reached us: it is counted at the next look.
          if (sinceMs === undefined || !committedMs.delete(Number(id))) continue;
          latencies.push(nowMs - sinceMs);
        }
      }
      await sleep(1);
    }
  });
  await Promise.all([write, watch]);
  return latencies;
}

export interface CopyFigures {
  readonly rows: number;
  readonly seconds: number;
  readonly rowsPerSecond: number;
  /** Of single changes that were made meanwhile. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The daemon's largest memory in each quarter of the time: it must not grow with the rows. */
  readonly quarters: readonly number[];
  readonly peakRssMb: number;
}

/** Copies what the source holds while probes are written; the time runs from the first row at the target to the last. */
export async function measureCopy(
  pipeline: BenchPipeline,
  rows: number,
  firstId: number,
): Promise<CopyFigures> {
  const daemon = pipeline.start();
  let isOver = false;
  try {
    await daemon.untilRunning(START_TIMEOUT_MS);
    const probing = probe(pipeline, daemon, { firstId, goesOn: () => !isOver });
    const memory = sampleMemory(daemon, () => !isOver);
    const [firstMs, lastMs] = await withConnection(pipeline.targetUrl, async (connection) => [
      await seen(connection, daemon, pipeline.startedQuery, 1, START_TIMEOUT_MS),
      await seen(connection, daemon, pipeline.doneQuery, DONE_ROWS, BACKLOG_TIMEOUT_MS),
    ]);
    isOver = true;
    const latencies = await probing;
    const quarters = quarterPeaks(await memory, firstMs, lastMs);
    const { peakRssMb } = usageOf(daemon);
    await refuseDifferences(pipeline);
    const seconds = (lastMs - firstMs) / 1_000;
    const [p50Ms = NaN, p99Ms = NaN] = [0.5, 0.99].map((share) => percentile(latencies, share) ?? NaN);
    return { rows, seconds, rowsPerSecond: rows / seconds, p50Ms, p99Ms, quarters, peakRssMb };
  } finally {
    isOver = true;
    await daemon.stop();
  }
}

interface MemorySample {
  readonly atMs: number;
  readonly rssMb: number;
}

async function sampleMemory(daemon: Daemon, goesOn: () => boolean): Promise<MemorySample[]> {
  const samples: MemorySample[] = [];
  while (goesOn()) {
    samples.push({ atMs: performance.now(), rssMb: usageOf(daemon).rssMb });
    await sleep(MEMORY_EVERY_MS);
  }
  return samples;
}

function quarterPeaks(samples: readonly MemorySample[], firstMs: number, lastMs: number): number[] {
  const quarterMs = (lastMs - firstMs) / 4;
  return [0, 1, 2, 3].map((quarter) => {
    const fromMs = firstMs + quarter * quarterMs;
    const within = samples.filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + quarterMs);
    return Math.max(...within.map(({ rssMb }) => rssMb));
  });
}

/** A fast pipeline that loses rows is no pipeline. */
async function refuseDifferences(pipeline: BenchPipeline): Promise<void> {
  const comparison = await compareTables(pipeline.comparisons);
  if (mismatches(comparison) === 0) return;
  throw new Error(
    `the target differs from the source:\n${comparison.samples.map(describeDifference).join('\n')}`,
  );
}

function usageOf(daemon: Daemon): ProcessUsage {
  return processUsage(daemon.pid) ?? { cpuSeconds: NaN, rssMb: NaN, peakRssMb: NaN };
}
