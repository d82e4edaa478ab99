/**
 * `npm run bench -- --snapshot`: copies a table at full speed and gently, and times single changes meanwhile. Every row is
 * compared. The last line of standard output is one JSON object.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { textTable } from '../../src/cli/text-table.ts';
import { startSandbox } from '../sandbox/start-sandbox.ts';
import { writeBacklog } from './backlog.ts';
import { BenchPipeline, prepareSource } from './bench-pipeline.ts';
import type { CopyFigures } from './measure.ts';
import { measureCopy } from './measure.ts';

/** The pipeline's `snapshot` section. */
const SECTIONS = { full: {}, gentle: { lagMs: 150, readers: 1 } } as const;

export type CopySetting = keyof typeof SECTIONS;

export const COPY_SETTINGS: readonly CopySetting[] = ['full', 'gentle'];

/** Ids of probes of one run start so far from those of the next. */
const PROBES = 1_000_000;

export async function measureSnapshot({
  copies,
  rows,
  profile,
}: {
  readonly copies: readonly CopySetting[];
  readonly rows: number;
  readonly profile: boolean;
}): Promise<void> {
  const parent = mkdtempSync(join(tmpdir(), 'rowferry-bench-'));
  process.stderr.write(`starting servers; logs are in ${parent}\n`);
  const sandbox = await startSandbox({ mysql: ['source', 'target'], kafka: true });
  try {
    const [source, target] = sandbox.mysql;
    if (source === undefined || target === undefined) throw new Error('the sandbox lacks a server');
    await prepareSource(source);
    const written = await writeBacklog('inserts', `${source.url.replace(/\/$/, '')}/bench`, rows);
    process.stderr.write(`${written.toLocaleString('en-US')} rows written\n`);
    const results = new Map<string, CopyFigures>();
    for (const [i, name] of copies.entries()) {
      const pipeline = await BenchPipeline.create({
        name: `copy_${name}`,
        source,
        target,
        shards: 1,
        brokers: sandbox.brokers,
        startFrom: 'snapshot',
        snapshot: SECTIONS[name],
        format: 'chunk',
        parent,
        profile,
      });
      const figures = await measureCopy(pipeline, written, i * PROBES);
      results.set(name, figures);
      process.stderr.write(`${name}: ${Math.round(figures.rowsPerSecond).toLocaleString('en-US')} rows/s\n`);
    }
    const table = [...results].map(
      ([name, { rows, seconds, rowsPerSecond, p50Ms, p99Ms, quarters, peakRssMb }]) => [
        name,
        rows,
        seconds.toFixed(1),
        Math.round(rowsPerSecond),
        p50Ms.toFixed(0),
        p99Ms.toFixed(0),
        quarters.map((mb) => Math.round(mb)).join(' '),
        Math.round(peakRssMb),
      ],
    );
    const header = [
      'copy',
      'rows',
      'seconds',
      'rows/s',
      'live p50 ms',
      'live p99 ms',
      'RSS MB by quarter',
      'peak RSS MB',
    ];
    for (const line of ['', ...textTable(header, table), '']) console.log(line);
    console.log(JSON.stringify(Object.fromEntries(results)));
    rmSync(parent, { recursive: true, force: true });
  } finally {
    await sandbox.stop();
  }
}
