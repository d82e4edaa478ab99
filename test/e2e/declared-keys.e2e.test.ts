import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, type TestContext } from 'vitest';
import { Random } from '../../scripts/lib/random.ts';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { killAtRandom } from '../support/kills.ts';
import { someOf } from '../support/long-run.ts';
import type { PipelineConfig } from '../support/pipeline-config.ts';
import { Pipeline, type PipelineOptions } from '../support/pipeline.ts';
import type { PipelineTable } from '../support/pipeline-tables.ts';
import { testServers } from '../support/servers.ts';

const SEED = Number(process.env['ROWFERRY_E2E_SEED'] ?? Date.now() % 1_000_000);
const WRONG_CONFIG = 2;
const STOPPED_ON_DATA = 4;

/** Rows that only a unique key tells apart; at the targets it is the primary key. */
const EVENTS: PipelineTable = {
  name: 'events',
  mysql: `CREATE TABLE events (owner INT NOT NULL, kind VARCHAR(20) NOT NULL, at INT NOT NULL, n INT NOT NULL,
    UNIQUE KEY by_kind (kind, at), KEY (owner))`,
  postgres:
    'CREATE TABLE events (owner INT NOT NULL, kind TEXT NOT NULL, at INT NOT NULL, n INT NOT NULL, PRIMARY KEY (at, kind))',
  key: ['at', 'kind'],
  shardBy: 'owner',
};

const declare =
  (key: readonly string[] = ['at', 'kind']) =>
  (config: PipelineConfig): void => {
    for (const source of Object.values(config.sources)) {
      const [pattern] = source['tables'] as string[];
      source['keys'] = { [String(pattern).replace('*', 'events')]: key };
    }
  };

/** Inserts, changes, changes of the key, and rows that one statement moves onto keys that others just left. */
async function write(pipeline: Pipeline, random: Random, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const at = random.between(0, 2_000);
    const kind = `k${random.between(0, 9)}`;
    const statements = [
      `INSERT IGNORE INTO events VALUES (${at % 7}, '${kind}', ${at}, 0)`,
      `UPDATE events SET n = n + 1, owner = owner + 1 WHERE at BETWEEN ${at} AND ${at + 20}`,
      `UPDATE IGNORE events SET at = at + 3000, n = n + 1 WHERE at BETWEEN ${at} AND ${at + 5}`,
      `UPDATE IGNORE events SET at = at - 3000 WHERE at BETWEEN ${at + 3000} AND ${at + 3020} ORDER BY at`,
      `UPDATE IGNORE events SET at = at + 1 WHERE at BETWEEN ${at} AND ${at + 9} ORDER BY at DESC`,
      `UPDATE IGNORE events SET kind = UPPER(kind) WHERE at = ${at}`,
      `DELETE FROM events WHERE at BETWEEN ${at} AND ${at + 2} AND n > 2`,
    ];
    await pipeline.write(statements[random.between(0, statements.length - 1)] ?? '');
    await sleep(2);
  }
}

async function fill(pipeline: Pipeline): Promise<void> {
  const rows = Array.from({ length: 4_000 }, (_, i) => [i % 7, `k${i % 10}`, Math.floor(i / 2), 0]);
  await pipeline.write('INSERT INTO events (owner, kind, at, n) VALUES ?', [rows]);
}

async function withEvents(
  test: TestContext,
  configure: (config: PipelineConfig) => void,
  options: Pick<PipelineOptions, 'source' | 'format'> = {},
): Promise<Pipeline> {
  return await Pipeline.create(test, { tables: [EVENTS], sessionTimeoutMs: 1_000, configure, ...options });
}

describe.each(someOf(['src', 'mariadb'] as const, SEED))('a table of %s without a primary key', (name) => {
  it(
    `is copied and followed by its declared key while keys change and everything is killed (seed ${SEED})`,
    { timeout: 180_000 },
    async (t) => {
      const pipeline = await withEvents(
        t,
        (config) => {
          declare()(config);
          for (const source of Object.values(config.sources)) source['startFrom'] = 'snapshot';
          config['snapshot'] = { leastRows: 100, mostRows: 200, chunkMs: '50ms' };
        },
        { source: testServers()[name], format: name === 'mariadb' ? 'row' : 'chunk' },
      );
      await fill(pipeline);
      const random = new Random(SEED);
      const ended = new AbortController();
      const writing = write(pipeline, random, ended.signal);
      try {
        await killAtRandom(pipeline, new Random(SEED + 1), 4_300, { fromMs: 1_200, toMs: 2_000 });
        const daemon = await pipeline.startRunning();
        await waitUntil(
          () => {
            const copies = daemon.status?.captures.flatMap((capture) => capture.copies) ?? [];
            return copies.length > 0 && copies.every(({ state }) => state === 'done');
          },
          { what: 'the table to be copied', timeoutMs: 60_000, details: () => daemon.logTail() },
        );
      } finally {
        ended.abort();
        await writing;
      }
      await pipeline.untilEqual();
    },
  );
});

describe('a daemon refuses', () => {
  it('a table that nothing names the rows of, and says which lines would', async (t) => {
    const pipeline = await withEvents(t, () => {});
    const daemon = pipeline.start();
    expect(await pipeline.exitOf(daemon)).toEqual({ code: WRONG_CONFIG, signal: null });
    expect(daemon.log).toContain('ROWFERRY_SOURCE_PREFLIGHT');
    const lines = JSON.stringify(`keys: { "${pipeline.source.name}.events": ["kind", "at"] }`).slice(1, -1);
    expect(daemon.log).toContain(lines);
  });

  it('another declared key than the one that its topic was written with', async (t) => {
    const pipeline = await withEvents(t, declare());
    const daemon = await pipeline.startRunning();
    await fill(pipeline);
    await pipeline.untilEqual();
    await daemon.stop();
    const config = readFileSync(pipeline.configFile, 'utf8');
    const changed = config.replace(/"at",(\s+)"kind"/, '"kind",$1"at"');
    expect(changed).not.toBe(config);
    writeFileSync(pipeline.configFile, changed);
    const late = pipeline.start();
    expect(await pipeline.exitOf(late)).toEqual({ code: WRONG_CONFIG, signal: null });
    expect(late.log).toContain('ROWFERRY_CONFIG_STATE_MISMATCH');
    expect(late.log).toContain('was keyed by (at, kind), now by (kind, at)');

    writeFileSync(pipeline.configFile, config);
    await pipeline.startRunning();
    await pipeline.write("INSERT INTO events VALUES (1, 'late', 1, 1)");
    await pipeline.untilEqual();
  });

  it('to let a table go on when the unique key of its declared one is dropped', async (t) => {
    const pipeline = await withEvents(t, declare());
    const daemon = await pipeline.startRunning();
    await pipeline.write("INSERT INTO events VALUES (1, 'a', 1, 1)");
    await pipeline.untilEqual();
    await pipeline.write('DROP INDEX by_kind ON events');
    await pipeline.write("INSERT INTO events VALUES (2, 'a', 1, 1)");
    await daemon.untilStatus('events to be held', ({ captures }) =>
      captures.some(({ held }) => held.length > 0),
    );
    expect(daemon.log).toContain('may take away the index that its declared key rests on');
    await daemon.stop();
    const again = pipeline.start();
    expect(await pipeline.exitOf(again)).toEqual({ code: WRONG_CONFIG, signal: null });
    expect(again.log).toContain('ADD UNIQUE KEY');
  });

  it('rows from before the key was one, whatever the table is today', async (t) => {
    const nullable = {
      ...EVENTS,
      mysql: EVENTS.mysql.replace('kind VARCHAR(20) NOT NULL', 'kind VARCHAR(20)'),
    };
    const pipeline = await Pipeline.create(t, { tables: [nullable], configure: declare() });
    await pipeline.write('INSERT INTO events VALUES (1, NULL, 1, 1), (1, NULL, 1, 2)');
    await pipeline.write('DELETE FROM events');
    await pipeline.write('ALTER TABLE events MODIFY kind VARCHAR(20) NOT NULL');
    const daemon = pipeline.start();
    expect(await pipeline.exitOf(daemon)).toEqual({ code: STOPPED_ON_DATA, signal: null });
    expect(daemon.log).toContain('rows of the table whose declared key may be NULL');
  });
});
