import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, type TestContext } from 'vitest';
import type { Daemon } from '../../scripts/lib/daemon.ts';
import { Random } from '../../scripts/lib/random.ts';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { ddlCommand } from '../../src/cli/ddl.ts';
import { replayCommand } from '../../src/cli/positions.ts';
import { snapshotCommand } from '../../src/cli/snapshot.ts';
import { killAtRandom } from '../support/kills.ts';
import { someOf } from '../support/long-run.ts';
import { Pipeline } from '../support/pipeline.ts';
import type { PipelineOptions } from '../support/pipeline.ts';
import type { PipelineLayout } from '../support/pipeline-tables.ts';
import { itemsTable } from '../support/pipeline-tables.ts';
import { runVerb } from '../support/run-verb.ts';
import { testServers } from '../support/servers.ts';

const SEED = Number(process.env['ROWFERRY_E2E_SEED'] ?? Date.now() % 1_000_000);
const COLUMNS = 'owner, kind, note, n';
/** A table whose rows nothing tells apart, whole at each target. */
const VISITS: PipelineLayout = {
  atSources: ['CREATE TABLE visits (owner INT NULL, kind VARCHAR(20) NULL, note TEXT NULL, n INT NOT NULL)'],
  atTargets: [
    {
      target: 'east',
      table: 'visits',
      create: `CREATE TABLE visits (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, owner INT NULL, kind VARCHAR(20) NULL, note TEXT NULL, n INT NOT NULL)`,
    },
    {
      target: 'west',
      table: 'visits',
      create: 'CREATE TABLE visits (owner INT, kind TEXT, note TEXT, n INT NOT NULL)',
    },
  ],
  routes: (schema) => [{ from: `${schema}.visits`, targets: ['east', 'west'] }],
  comparisons: [],
};

/** Two tables become one at each target, where a column says of which a row is. */
const MERGED: PipelineLayout = {
  atSources: ['visits_0', 'visits_1'].map(
    (table) =>
      `CREATE TABLE ${table} (owner INT NULL, kind VARCHAR(20) NULL, note TEXT NULL, n INT NOT NULL)`,
  ),
  atTargets: ['east', 'west'].map((target) => ({
    target,
    table: 'visits',
    create:
      'CREATE TABLE visits (owner INT, kind VARCHAR(20), note TEXT, n INT NOT NULL, origin VARCHAR(200) NOT NULL)',
  })),
  routes: (schema) => [
    { from: `${schema}.visits_*`, to: 'visits', targets: ['east', 'west'], columns: { origin: 'origin' } },
  ],
  comparisons: [],
};

async function withVisits(t: TestContext, options: PipelineOptions = {}): Promise<Pipeline> {
  return await Pipeline.create(t, {
    layouts: [VISITS],
    tables: [itemsTable()],
    sessionTimeoutMs: 1_000,
    ...options,
    configure: (config) => {
      for (const source of Object.values(config.sources)) {
        source['keyless'] = 'append';
        source['startFrom'] = 'snapshot';
      }
      config['snapshot'] = { leastRows: 100, mostRows: 400, chunkMs: '50ms' };
      options.configure?.(config);
    },
  });
}

/** Rows of few values, so that most are there several times, with NULL and text of several bytes among them. */
function visitRows(random: Random, count: number): unknown[][] {
  return Array.from({ length: count }, () => {
    const owner = random.between(0, 9);
    const note = ['', 'ä', 'same', null][random.between(0, 3)];
    return [owner === 9 ? null : owner, `k${random.between(0, 3)}`, note, random.between(0, 20)];
  });
}

/** Writes until the signal aborts, several rows a transaction. */
async function visit(pipeline: Pipeline, random: Random, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES ?`, [
      visitRows(random, random.between(1, 30)),
    ]);
    if (random.between(0, 5) === 0)
      await pipeline.write(`INSERT INTO visits (${COLUMNS}) SELECT ${COLUMNS} FROM visits LIMIT 5`);
    await sleep(20);
  }
}

const GROUPED = `SELECT COALESCE(owner, -1), kind, COALESCE(note, 'none'), n, COUNT(*) FROM visits GROUP BY owner, kind, note, n`;

async function multiset(read: Promise<unknown[][]>): Promise<string[]> {
  return (await read).map((row) => row.map(String).join('|')).toSorted();
}

async function sourceRows(pipeline: Pipeline): Promise<unknown[][]> {
  const [rows] = await pipeline.source.pool.query({ sql: GROUPED, rowsAsArray: true });
  return rows as unknown[][];
}

async function untilSame(pipeline: Pipeline, daemon: Daemon): Promise<void> {
  await pipeline.untilCaughtUp(60_000);
  const wanted = await multiset(sourceRows(pipeline));
  for (const { target } of pipeline.targets) {
    const found = await multiset(pipeline.rows(target, GROUPED));
    expect(found, `${target}\n${daemon.logTail()}`).toEqual(wanted);
  }
}

async function untilCopied(daemon: Daemon): Promise<void> {
  await waitUntil(
    () => {
      const copies = daemon.status?.captures.flatMap((capture) => capture.copies) ?? [];
      return copies.length > 0 && copies.every(({ state }) => state === 'done');
    },
    { what: 'every table to be copied', timeoutMs: 60_000, details: () => daemon.logTail() },
  );
}

async function verb(
  pipeline: Pipeline,
  daemon: Daemon,
  command: Parameters<typeof runVerb>[0],
  ...args: readonly string[]
): Promise<void> {
  const env = { ...process.env, ROWFERRY_TEST_RUN_DIR: daemon.runDir };
  const { lines, exitCode } = await runVerb(command, [...args, '--config', pipeline.configFile], { env });
  expect(exitCode, lines.join('\n')).toBe(0);
}

async function untilFlowing(daemon: Daemon): Promise<void> {
  await waitUntil(
    () => {
      const captures = daemon.status?.captures ?? [];
      return captures.length > 0 && captures.every(({ held }) => held.length === 0);
    },
    { what: 'every table to flow', timeoutMs: 30_000, details: () => daemon.logTail() },
  );
}

async function untilHeld(daemon: Daemon): Promise<string> {
  return await waitUntil(() => daemon.status?.captures.flatMap(({ held }) => held)[0]?.statement, {
    what: 'the table to be held',
    timeoutMs: 30_000,
    details: () => daemon.logTail(),
  });
}

describe.each(someOf(['src', 'mariadb'] as const, SEED))('a table of %s without any key', (name) => {
  it(
    `has each row as often as the source, though all is killed while it is copied and while rows come (seed ${SEED})`,
    { timeout: 240_000 },
    async (t) => {
      const pipeline = await withVisits(t, {
        source: testServers()[name],
        format: name === 'mariadb' ? 'row' : 'chunk',
      });
      const random = new Random(SEED);
      for (let i = 0; i < 6; i++)
        await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES ?`, [visitRows(random, 1_000)]);
      const ended = new AbortController();
      const writing = visit(pipeline, random, ended.signal);
      let daemon: Daemon;
      try {
        const doomed = pipeline.start({ env: { ROWFERRY_KILL_AT: 'snapshot.after-read:8' } });
        expect(await pipeline.exitOf(doomed)).toEqual({ code: null, signal: 'SIGKILL' });
        await killAtRandom(pipeline, new Random(SEED + 1), 4_300, { fromMs: 1_200, toMs: 2_000 });
        daemon = await pipeline.startRunning();
        await untilCopied(daemon);
        await daemon.kill();
        await killAtRandom(pipeline, new Random(SEED + 2), 4_300, { fromMs: 1_200, toMs: 2_000 });
        daemon = await pipeline.startRunning();
      } finally {
        ended.abort();
        await writing;
      }
      // That it was done may not have been saved when it was killed.
      await untilCopied(daemon);
      await untilSame(pipeline, daemon);
    },
  );
});

describe('a table without any key', () => {
  it(
    'waits after an update, others go on, and follows again when it is copied anew',
    { timeout: 120_000 },
    async (t) => {
      const pipeline = await withVisits(t);
      const table = `${pipeline.source.name}.visits`;
      const random = new Random(SEED);
      await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES ?`, [visitRows(random, 500)]);
      const daemon = await pipeline.startRunning();
      await untilCopied(daemon);
      await pipeline.transaction([
        `INSERT INTO visits (${COLUMNS}) VALUES (1, 'before', '', 1)`,
        `UPDATE visits SET n = 77 WHERE owner = 3`,
        `INSERT INTO visits (${COLUMNS}) VALUES (1, 'after', '', 1)`,
      ]);
      await untilHeld(daemon);
      await pipeline.write("INSERT INTO items (id, owner, code, n) VALUES (1, 1, 'other', 1)");
      await pipeline.untilEqual();
      const kinds = "SELECT kind FROM visits WHERE kind IN ('before', 'after')";
      expect(await pipeline.rows('west', kinds)).toEqual([['before']]);

      await verb(pipeline, daemon, snapshotCommand, 'add', table);
      await untilFlowing(daemon);
      await untilCopied(daemon);
      await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES (1, 'later', '', 1)`);
      await untilSame(pipeline, daemon);
    },
  );

  it('gets a key while it waits, and its rows change from then on', { timeout: 120_000 }, async (t) => {
    const pipeline = await withVisits(t);
    const table = `${pipeline.source.name}.visits`;
    await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES ?`, [visitRows(new Random(SEED), 500)]);
    let daemon = await pipeline.startRunning();
    await untilCopied(daemon);
    await pipeline.write('UPDATE visits SET n = 77 WHERE owner = 3');
    await untilHeld(daemon);
    await pipeline.write('ALTER TABLE visits ADD COLUMN id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY');
    await pipeline.meddle('west', 'DELETE FROM visits');
    await pipeline.meddle('west', 'ALTER TABLE visits ADD COLUMN id BIGINT PRIMARY KEY');
    await pipeline.write('UPDATE visits SET n = 78 WHERE owner = 4');
    await verb(pipeline, daemon, snapshotCommand, 'add', table, '--empty');
    await untilFlowing(daemon);
    await untilCopied(daemon);
    await pipeline.write('UPDATE visits SET n = 79 WHERE owner = 5');
    await pipeline.write('DELETE FROM visits WHERE owner = 6');
    await untilSame(pipeline, daemon);
    await daemon.stop();
    daemon = await pipeline.startRunning();
    await pipeline.write('UPDATE visits SET n = 80 WHERE owner = 5');
    await untilSame(pipeline, daemon);
  });

  it(
    'goes on behind an update that an operator has made at the targets, and doubles nothing',
    { timeout: 120_000 },
    async (t) => {
      const pipeline = await withVisits(t);
      const random = new Random(SEED);
      await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES ?`, [visitRows(random, 500)]);
      const daemon = await pipeline.startRunning();
      await untilCopied(daemon);
      const change = "DELETE FROM visits WHERE kind = 'k1' AND owner = 3";
      await pipeline.transaction([
        `INSERT INTO visits (${COLUMNS}) VALUES (1, 'before', '', 1)`,
        change,
        `INSERT INTO visits (${COLUMNS}) VALUES (1, 'after', '', 1)`,
      ]);
      await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES ?`, [
        [
          [1, 'later', '', 1],
          [1, 'later', '', 1],
        ],
      ]);
      const statement = await untilHeld(daemon);
      for (const { target } of pipeline.targets) await pipeline.meddle(target, change);
      await verb(pipeline, daemon, ddlCommand, 'ack', '--at', statement);
      await untilFlowing(daemon);
      await untilSame(pipeline, daemon);
    },
  );

  it('is copied anew by itself when an operator replays', { timeout: 120_000 }, async (t) => {
    const pipeline = await withVisits(t);
    const random = new Random(SEED);
    await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES ?`, [visitRows(random, 500)]);
    const before = await pipeline.startRunning();
    await untilCopied(before);
    const fromMs = Date.now();
    await sleep(6_000);
    await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES ?`, [visitRows(random, 500)]);
    await untilSame(pipeline, before);
    await before.stop();
    await verb(pipeline, before, replayCommand, '--from', new Date(fromMs).toISOString());
    const daemon = await pipeline.startRunning();
    await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES ?`, [visitRows(random, 100)]);
    await sleep(2_000);
    await untilCopied(daemon);
    await untilSame(pipeline, daemon);
  });

  it(
    'is not copied into tables that hold rows of others unless an operator says so',
    { timeout: 120_000 },
    async (t) => {
      const pipeline = await withVisits(t);
      const table = `${pipeline.source.name}.visits`;
      await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES (1, 'mine', '', 1)`);
      await pipeline.meddle('west', `INSERT INTO visits (${COLUMNS}) VALUES (1, 'foreign', '', 1)`);
      const daemon = await pipeline.startRunning();
      const copy = () => daemon.status?.captures[0]?.copies.find((found) => found.table === table);
      await waitUntil(() => copy()?.state === 'failed', {
        what: 'the copy to fail',
        timeoutMs: 30_000,
        details: () => daemon.logTail(),
      });
      expect(daemon.logTail()).toContain('west: visits');
      await pipeline.write(`INSERT INTO visits (${COLUMNS}) VALUES (1, 'left out', '', 1)`);
      await pipeline.untilCaughtUp();
      expect(await pipeline.count('west', 'SELECT COUNT(*) FROM visits')).toBe(1);
      await verb(pipeline, daemon, snapshotCommand, 'add', table, '--empty');
      await untilCopied(daemon);
      await untilSame(pipeline, daemon);
    },
  );

  it(
    'shares a table with others where a column tells them apart; one that is copied anew takes its own rows alone',
    { timeout: 120_000 },
    async (t) => {
      const configure: PipelineOptions['configure'] = ({ sources }) => {
        for (const source of Object.values(sources)) source['truncate'] = 'apply';
      };
      const pipeline = await withVisits(t, { layouts: [MERGED], configure });
      const random = new Random(SEED);
      const tables = ['visits_0', 'visits_1'];
      const write = async (count: number): Promise<void> => {
        for (const table of tables)
          await pipeline.write(`INSERT INTO ${table} (${COLUMNS}) VALUES ?`, [visitRows(random, count)]);
      };
      const untilEach = async (daemon: Daemon): Promise<void> => {
        await pipeline.untilCaughtUp(60_000);
        for (const { target } of pipeline.targets)
          for (const table of tables) {
            const [rows] = await pipeline.source.pool.query({
              sql: GROUPED.replace('visits', table),
              rowsAsArray: true,
            });
            const mine = GROUPED.replace('visits', `visits WHERE origin LIKE '%.${table}'`);
            const found = await multiset(pipeline.rows(target, mine));
            expect(found, `${target} ${table}\n${daemon.logTail()}`).toEqual(
              await multiset(Promise.resolve(rows as unknown[][])),
            );
          }
      };
      await write(300);
      const daemon = await pipeline.startRunning();
      await write(50);
      await untilCopied(daemon);
      await write(50);
      await untilEach(daemon);
      await pipeline.write('TRUNCATE visits_0');
      await write(20);
      await untilEach(daemon);
      await verb(pipeline, daemon, snapshotCommand, 'add', `${pipeline.source.name}.visits_1`);
      await write(20);
      await sleep(2_000);
      await untilCopied(daemon);
      await untilEach(daemon);
    },
  );
});
