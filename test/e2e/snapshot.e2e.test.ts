import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, type TestContext } from 'vitest';
import type { Daemon } from '../../scripts/lib/daemon.ts';
import { Random } from '../../scripts/lib/random.ts';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { snapshotCommand } from '../../src/cli/snapshot.ts';
import { killAtRandom } from '../support/kills.ts';
import { startLoad } from '../support/load.ts';
import type { PipelineOptions } from '../support/pipeline.ts';
import { Pipeline } from '../support/pipeline.ts';
import type { PipelineLayout } from '../support/pipeline-tables.ts';
import { itemsTable, SHOP } from '../support/pipeline-tables.ts';
import { localUser } from '../../src/wiring/local-user.ts';
import { runVerb } from '../support/run-verb.ts';
import { testServers } from '../support/servers.ts';

const SIZE = { users: 2_000, products: 500, orders: 10_000 };
const SEED = Number(process.env['ROWFERRY_E2E_SEED'] ?? Date.now() % 1_000_000);

/** A pipeline that copies what its tables hold, in small chunks, so that many of them meet the load. */
async function copying(test: TestContext, options: PipelineOptions): Promise<Pipeline> {
  return await Pipeline.create(test, {
    sessionTimeoutMs: 1_000,
    ...options,
    configure: (config) => {
      for (const source of Object.values(config.sources)) source['startFrom'] = 'snapshot';
      config['snapshot'] = { leastRows: 100, mostRows: 400, chunkMs: '50ms' };
      options.configure?.(config);
    },
  });
}

/** Waits until no table is left to be copied; answers how many rows were. */
async function untilCopied(daemon: Daemon): Promise<number> {
  const done = await waitUntil(
    () => {
      const copies = daemon.status?.captures.flatMap((capture) => capture.copies) ?? [];
      return copies.length > 0 && copies.every(({ state }) => state === 'done') ? copies : undefined;
    },
    { what: 'every table to be copied', timeoutMs: 60_000, details: () => daemon.logTail() },
  );
  return done.reduce((sum, { rows }) => sum + rows, 0);
}

async function ask(
  pipeline: Pipeline,
  daemon: Daemon,
  ...args: readonly string[]
): Promise<readonly string[]> {
  const env = { ...process.env, ROWFERRY_TEST_RUN_DIR: daemon.runDir };
  const { lines, exitCode } = await runVerb(snapshotCommand, [...args, '--config', pipeline.configFile], {
    env,
  });
  expect(exitCode, lines.join('\n')).toBe(0);
  return lines;
}

describe.each(['mysql', 'mariadb'] as const)('a snapshot of %s under load', (kind) => {
  it(
    `copies what was there while rows change, move and vanish, and is killed meanwhile (seed ${SEED})`,
    { timeout: 180_000 },
    async (t) => {
      const source = kind === 'mysql' ? testServers().src : testServers().mariadb;
      const pipeline = await copying(t, { source, tables: SHOP });
      await pipeline.seedShop(SIZE);
      const load = startLoad(pipeline, { changesPerSecond: 500, seed: SEED, size: SIZE });
      await killAtRandom(pipeline, new Random(SEED), 4_500, { fromMs: 1_200, toMs: 2_000 });
      const daemon = await pipeline.startRunning();
      // What the load deletes or a change takes the place of need not be copied.
      expect(await untilCopied(daemon)).toBeGreaterThan(SIZE.orders / 3);
      await load.stop();
      await pipeline.untilEqual();
    },
  );
});

describe('a snapshot', () => {
  it.for(['snapshot.after-low', 'snapshot.after-read'] as const)(
    'that is killed at %s begins the chunk anew',
    { timeout: 90_000 },
    async (point, t) => {
      const pipeline = await copying(t, { tables: SHOP });
      await pipeline.seedShop(SIZE);
      const load = startLoad(pipeline, { changesPerSecond: 300, seed: SEED, size: SIZE });
      const doomed = pipeline.start({ env: { ROWFERRY_KILL_AT: `${point}:12` } });
      expect(await pipeline.exitOf(doomed)).toEqual({ code: null, signal: 'SIGKILL' });
      await untilCopied(await pipeline.startRunning());
      await load.stop();
      await pipeline.untilEqual();
    },
  );

  it(
    'of a table is paused, resumed and asked for again while the pipeline runs',
    { timeout: 90_000 },
    async (t) => {
      const items = itemsTable();
      const pipeline = await copying(t, {
        tables: [items],
        configure: (config) => {
          // Seconds, so that it is not done before it is paused.
          config['snapshot'] = { leastRows: 100, mostRows: 100, readers: 1, rowsPerSecond: 150 };
        },
      });
      const rows = Array.from({ length: 1_500 }, (_, i) => [i, i % 7, `c${i}`, 0]);
      await pipeline.write('INSERT INTO items (id, owner, code, n) VALUES ?', [rows]);
      const name = `${pipeline.source.name}.items`;
      const daemon = await pipeline.startRunning();
      await ask(pipeline, daemon, 'pause', name);
      const paused = async () => (await ask(pipeline, daemon, 'status')).join('\n');
      await waitUntil(async () => (await paused()).includes('paused'), {
        what: 'it to be paused',
        timeoutMs: 20_000,
      });
      expect(await ask(pipeline, daemon, 'resume', '--all')).toEqual([
        expect.stringMatching(/^asked main to resume \S+\.items \((waiting|copying), paused\), /),
      ]);
      await untilCopied(daemon);
      await pipeline.untilEqual();
      await waitUntil(
        async () => {
          const told = ask(pipeline, daemon, 'pause', name).then(() => '', String);
          return (await told).includes(`the copy of ${name} is done`);
        },
        {
          what: 'the done copy to be saved, and told when it is to be paused',
          timeoutMs: 20_000,
          details: () => daemon.logTail(),
        },
      );

      const audits = daemon.log
        .split('\n')
        .filter((line) => line.includes('operator: snapshot, taken up'))
        .map((line) => (JSON.parse(line) as { readonly audit: object }).audit);
      const taken = { action: 'snapshot', who: localUser(), outcome: 'taken up' };
      expect(audits).toMatchObject([
        { ...taken, request: { action: 'pause', table: name } },
        { ...taken, request: { action: 'resume', table: null } },
      ]);

      // A target that lost rows gets them back.
      for (const { target } of pipeline.targets)
        await pipeline.meddle(target, 'DELETE FROM items WHERE n = 0');
      await ask(pipeline, daemon, 'add', name);
      await pipeline.untilEqual();
      expect((await ask(pipeline, daemon, 'status', '--watch')).join('\n')).toMatch(/items +done.*100\.00%/);
    },
  );

  it(
    `of a table that was created while the pipeline ran brings all of it, under load and kills (seed ${SEED})`,
    { timeout: 120_000 },
    async (t) => {
      const pipeline = await copying(t, { tables: [itemsTable()], layouts: [EXTRA] });
      // Neither side has it when the daemon starts.
      for (const { target } of pipeline.targets) await pipeline.meddle(target, 'DROP TABLE extra');
      const daemon = await pipeline.startRunning();
      for (const { target, create } of EXTRA.atTargets) await pipeline.meddle(target, create);
      await pipeline.write(CREATE_EXTRA);
      await fillUnlogged(pipeline);
      const load = changeExtra(pipeline, new Random(SEED));
      await waitUntil(async () => (await pipeline.count('east', 'SELECT COUNT(*) FROM extra')) > 0, {
        what: 'changes of the new table to flow',
        timeoutMs: 20_000,
        details: () => daemon.logTail(),
      });
      const name = `${pipeline.source.name}.extra`;
      await ask(pipeline, daemon, 'add', name);
      await daemon.kill();
      await killAtRandom(pipeline, new Random(SEED), 4_500, { fromMs: 1_200, toMs: 1_700 });
      const last = await pipeline.startRunning();
      await waitUntil(
        () => {
          const copies = last.status?.captures.flatMap((capture) => capture.copies) ?? [];
          return copies.some(({ table, state }) => table === name && state === 'done');
        },
        { what: 'the new table to be copied', timeoutMs: 60_000, details: () => last.logTail() },
      );
      await load.stop();
      await pipeline.untilEqual();
      const [capture] = last.status?.captures ?? [];
      expect(capture?.binlogOlderBytes).toBeGreaterThan(0);
      expect(capture?.binlogBehindBytes).toBeGreaterThanOrEqual(0);
    },
  );

  it('of a table that is not captured is refused, with what to do', async (t) => {
    const pipeline = await copying(t, { tables: [itemsTable()] });
    const args = ['add', 'other.table', '--config', pipeline.configFile];
    const env = { ...process.env, ROWFERRY_TEST_RUN_DIR: pipeline.folder };
    await expect(runVerb(snapshotCommand, args, { env })).rejects.toThrow('does not capture other.table');
  });

  it('of a table that the source does not have is refused before anything is asked for', async (t) => {
    const pipeline = await Pipeline.create(t, {
      tables: [itemsTable()],
      configure: ({ sources }) => {
        const main = sources['main']!;
        const [first = ''] = main['tables'] as string[];
        main['tables'] = [first.replace(/\..*/, '.*')];
      },
    });
    const args = ['add', `${pipeline.source.name}.itemz`, '--config', pipeline.configFile];
    const env = { ...process.env, ROWFERRY_TEST_RUN_DIR: pipeline.folder };
    await expect(runVerb(snapshotCommand, args, { env })).rejects.toThrow(
      `has no table ${pipeline.source.name}.itemz; did you mean ${pipeline.source.name}.items?`,
    );
  });

  it(
    'brings a row to every part of a split though only columns of another part change meanwhile',
    { timeout: 90_000 },
    async (t) => {
      const pipeline = await copying(t, { layouts: [SPLIT] });
      const rows = Array.from({ length: 6_000 }, (_, i) => [i, `name ${i}`, 0]);
      await pipeline.write('INSERT INTO goods (id, name, stock) VALUES ?', [rows]);
      const stop = new AbortController();
      const random = new Random(SEED);
      const selling = (async () => {
        while (!stop.signal.aborted) {
          const from = random.between(0, 5_900);
          await pipeline.write(
            `UPDATE goods SET stock = stock + 1 WHERE id BETWEEN ${from} AND ${from + 60}`,
          );
          // More than the targets take would hold the copy up for as long as it lasts.
          await sleep(20);
        }
      })();
      const daemon = await pipeline.startRunning();
      await untilCopied(daemon);
      await sleep(200);
      stop.abort();
      await selling;
      await pipeline.untilEqual();
    },
  );
});

const SPLIT: PipelineLayout = {
  atSources: [
    'CREATE TABLE goods (id INT NOT NULL PRIMARY KEY, name VARCHAR(40) NOT NULL, stock INT NOT NULL)',
  ],
  atTargets: [
    {
      target: 'east',
      table: 'goods_cold',
      create: 'CREATE TABLE goods_cold (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL)',
    },
    {
      target: 'west',
      table: 'goods_hot',
      create: 'CREATE TABLE goods_hot (id INT PRIMARY KEY, stock INT NOT NULL)',
    },
  ],
  routes: (schema) => [
    { from: `${schema}.goods`, to: 'goods_cold', target: 'east', columns: { only: ['id', 'name'] } },
    { from: `${schema}.goods`, to: 'goods_hot', target: 'west', columns: { only: ['id', 'stock'] } },
  ],
  comparisons: [
    {
      from: ['goods'],
      places: [{ target: 'east', table: 'goods_cold' }],
      key: ['id'],
      columns: { id: 'id', name: 'name' },
    },
    {
      from: ['goods'],
      places: [{ target: 'west', table: 'goods_hot' }],
      key: ['id'],
      columns: { id: 'id', stock: 'stock' },
    },
  ],
};

const CREATE_EXTRA =
  'CREATE TABLE extra (id INT NOT NULL PRIMARY KEY, name VARCHAR(40) NOT NULL, n INT NOT NULL)';
const EXTRA_ROWS = 4_000;

/** Captured and routed by patterns, so that its tables may come later. */
const EXTRA: PipelineLayout = {
  atSources: [],
  atTargets: ['east', 'west'].map((target) => ({ target, table: 'extra', create: CREATE_EXTRA })),
  routes: (schema) => [{ from: `${schema}.ext*`, to: '{table}', targets: ['east', 'west'] }],
  comparisons: [{ from: ['extra'], key: ['id'] }],
};

/** Rows that only a copy can bring: the binlog knows nothing of them, as after a restore. */
async function fillUnlogged(pipeline: Pipeline): Promise<void> {
  const rows = Array.from({ length: EXTRA_ROWS }, (_, i) => [i * 2, `name ${i}`, 0]);
  const connection = await pipeline.source.pool.getConnection();
  try {
    await connection.query('SET SESSION sql_log_bin = 0');
    await connection.query('INSERT INTO extra (id, name, n) VALUES ?', [rows]);
    await connection.query('SET SESSION sql_log_bin = 1');
  } finally {
    connection.release();
  }
}

/** Changes, deletes, moves and adds rows of the new table until it is stopped. */
function changeExtra(pipeline: Pipeline, random: Random): { readonly stop: () => Promise<void> } {
  const stop = new AbortController();
  let next = EXTRA_ROWS * 2;
  const running = (async () => {
    while (!stop.signal.aborted) {
      const id = random.between(0, EXTRA_ROWS * 2);
      await pipeline.write(`UPDATE extra SET n = n + 1 WHERE id BETWEEN ${id} AND ${id + 20}`);
      await pipeline.write(`DELETE FROM extra WHERE id = ${random.between(0, EXTRA_ROWS * 2)}`);
      // A free key behind what is copied already, or before it.
      await pipeline.write(
        `UPDATE IGNORE extra SET id = ${random.between(0, EXTRA_ROWS * 2)} WHERE id = ${id}`,
      );
      await pipeline.write(`INSERT INTO extra (id, name, n) VALUES (${next++}, 'new', 0)`);
      await sleep(10);
    }
  })();
  return {
    stop: async () => {
      stop.abort();
      await running;
    },
  };
}
