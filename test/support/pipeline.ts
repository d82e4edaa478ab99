/**
 * A whole pipeline for one test: fresh databases on the shared servers (or on servers of the test's own), a configuration, and
 * the built daemon as a child process that can be killed, frozen and stopped. Everything ends with the test; when it fails
 * databases and logs are kept and named.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import type { RowDataPacket } from 'mysql2/promise';
import { expect, type TestContext } from 'vitest';
import type { Comparison, TableComparison } from '../../scripts/lib/compare.ts';
import { describeDifference } from '../../scripts/lib/compare-report.ts';
import { compareUntilEqual } from '../../scripts/lib/compare-until.ts';
import { Daemon, type DaemonExit, type DaemonOptions } from '../../scripts/lib/daemon.ts';
import { Random } from '../../scripts/lib/random.ts';
import { seedShop, type ShopSize } from '../../scripts/lib/shop.ts';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import type { TestServer } from './global-setup.ts';
import { pipelineConfig, type PipelineConfig } from './pipeline-config.ts';
import {
  FENCE_ROWS,
  fenceLayout,
  fenceTable,
  plainLayout,
  type PipelineLayout,
  type PipelineTable,
} from './pipeline-tables.ts';
import {
  mysqlDatabase,
  postgresDatabase,
  testServers,
  uniqueName,
  type MysqlDatabase,
  type PostgresDatabase,
} from './servers.ts';

export interface PipelineServer {
  readonly name: string;
  readonly server: TestServer;
}

export interface PipelineOptions {
  /** Tables that keep their form. */
  readonly tables?: readonly PipelineTable[];
  /** Tables that change it. */
  readonly layouts?: readonly PipelineLayout[];
  /** Where to capture from `main`, the only source; the shared MySQL when absent. */
  readonly source?: TestServer;
  /** Several sources, on servers of their own; their databases have one name. */
  readonly sources?: readonly PipelineServer[];
  /** `east` on the second MySQL and `west` on PostgreSQL when absent. */
  readonly targets?: readonly PipelineServer[];
  readonly brokers?: readonly string[];
  readonly format?: 'chunk' | 'row';
  readonly partitions?: number;
  /** Of Kafka's group: how soon a dead process is given up. */
  readonly sessionTimeoutMs?: number;
  /** Changes the configuration before it is written. */
  readonly configure?: (config: PipelineConfig) => void;
}

export type SourceDatabase = MysqlDatabase & { readonly source: string };
export type TargetDatabase = (MysqlDatabase | PostgresDatabase) & { readonly target: string };

export type StartOptions = Pick<DaemonOptions, 'role' | 'nodeOptions'> & {
  readonly env?: Readonly<Record<string, string>>;
};

const CATCH_UP_MS = 60_000;
const SETTLE_MS = 15_000;

export class Pipeline {
  readonly name: string;
  readonly sources: readonly SourceDatabase[];
  readonly targets: readonly TargetDatabase[];
  readonly folder: string;
  readonly configFile: string;
  readonly #layouts: readonly PipelineLayout[];
  readonly #daemons: Daemon[] = [];
  #round = 0;

  private constructor(
    name: string,
    { sources, targets }: { sources: readonly SourceDatabase[]; targets: readonly TargetDatabase[] },
    { tables = [], layouts = [] }: PipelineOptions,
  ) {
    this.name = name;
    this.sources = sources;
    this.targets = targets;
    this.folder = mkdtempSync(join(tmpdir(), 'rowferry-e2e-'));
    this.configFile = join(this.folder, 'rowferry.yaml');
    const engines = targets.map((database) => ({ name: database.target, isPostgres: isPostgres(database) }));
    const sourceNames = sources.map(({ source }) => source);
    this.#layouts = [
      ...tables.map((table) => plainLayout(table, engines)),
      ...layouts,
      fenceLayout(sourceNames, engines),
    ];
  }

  /** Creates databases and tables and writes the configuration; it will start from before anything that the test writes. */
  static async create(test: TestContext, options: PipelineOptions): Promise<Pipeline> {
    const servers = testServers();
    const schema = uniqueName(test.task.name);
    const sources: SourceDatabase[] = [];
    for (const { name, server } of options.sources ?? [
      { name: 'main', server: options.source ?? servers.src },
    ]) {
      sources.push({ ...(await mysqlDatabase(test, server, schema)), source: name });
    }
    const targets: TargetDatabase[] = [];
    for (const { name, server } of options.targets ?? [
      { name: 'east', server: servers.shard },
      { name: 'west', server: servers.postgres },
    ]) {
      const database = await (server.kind === 'postgres' ? postgresDatabase : mysqlDatabase)(test, server);
      targets.push({ ...database, target: name });
    }
    const pipeline = new Pipeline(uniqueName(test.task.name), { sources, targets }, options);
    test.onTestFinished(async () => await pipeline.#end(test));
    for (const { atSources, atTargets } of pipeline.#layouts) {
      for (const { pool } of sources) for (const statement of atSources) await pool.query(statement);
      for (const { target, create } of atTargets) await pipeline.meddle(target, create);
    }
    await pipeline.#writeConfig(options);
    return pipeline;
  }

  /** Replaces a text of the configuration, for daemons that start from now on. */
  reconfigure(from: string, to: string): void {
    const config = readFileSync(this.configFile, 'utf8');
    if (!config.includes(from)) throw new Error(`the configuration has no ${from}`);
    writeFileSync(this.configFile, config.replace(from, to));
  }

  /** Starts a daemon with status and log files of its own; it ends with the test. */
  start({ env, ...options }: StartOptions = {}): Daemon {
    const runDir = join(this.folder, `run-${this.#daemons.length + 1}`);
    const daemon = Daemon.start({
      ...options,
      configFile: this.configFile,
      name: this.name,
      runDir,
      logFile: join(this.folder, `daemon-${this.#daemons.length + 1}.log`),
      env: { ROWFERRY_TEST_RUN_DIR: runDir, ...env },
    });
    this.#daemons.push(daemon);
    return daemon;
  }

  /** Starts a daemon and waits until it applies. */
  async startRunning(options: StartOptions = {}): Promise<Daemon> {
    const daemon = this.start(options);
    await daemon.untilRunning();
    return daemon;
  }

  /** The first source. */
  get source(): SourceDatabase {
    const [first] = this.sources;
    if (first === undefined) throw new Error('there is no source');
    return first;
  }

  /** The topic of the first source's changes. */
  get topic(): string {
    return `${this.name}.${this.source.source}`;
  }

  /** Deletes topics behind the daemon's back and waits until the broker knows nothing of them. */
  async deleteTopics(topics: readonly string[]): Promise<void> {
    const kafka = new kafkajs.Kafka({
      brokers: [...testServers().brokers],
      logLevel: kafkajs.logLevel.NOTHING,
    });
    const admin = kafka.admin();
    await admin.connect();
    try {
      await admin.deleteTopics({ topics: [...topics] });
      const gone = async (): Promise<boolean> => {
        const left = await admin.listTopics();
        return !left.some((topic) => topics.includes(topic));
      };
      await waitUntil(gone, { what: 'the topics to go', timeoutMs: 10_000 });
    } finally {
      await admin.disconnect();
    }
  }

  /** Runs a statement at the first source. */
  async write(sql: string, values: readonly unknown[] = []): Promise<void> {
    await this.source.pool.query(sql, [...values]);
  }

  /** Runs a statement at the named source. */
  async writeAt(source: string, sql: string, values: readonly unknown[] = []): Promise<void> {
    const database = this.sources.find((found) => found.source === source);
    if (database === undefined) throw new Error(`there is no source ${source}`);
    await database.pool.query(sql, [...values]);
  }

  /** Runs statements at a source, by default the first, in one transaction. */
  async transaction(statements: readonly string[], { pool } = this.source): Promise<void> {
    const connection = await pool.getConnection();
    try {
      await connection.query('BEGIN');
      for (const statement of statements) await connection.query(statement);
      await connection.query('COMMIT');
    } finally {
      connection.release();
    }
  }

  async seedShop(size: ShopSize, seed = 1): Promise<void> {
    const connection = await this.source.pool.getConnection();
    try {
      await seedShop(connection, size, new Random(seed));
    } finally {
      connection.release();
    }
  }

  /** Runs a statement at a target behind the daemon's back. */
  async meddle(target: string, sql: string): Promise<void> {
    const database = this.#target(target);
    if (isPostgres(database)) await database.pool.query(sql);
    else await database.pool.query(sql);
  }

  /** Rows of a target, by its name. */
  async rows(target: string, sql: string): Promise<unknown[][]> {
    const database = this.#target(target);
    if (isPostgres(database)) {
      const { rows } = await database.pool.query<unknown[]>({ text: sql, rowMode: 'array' });
      return rows;
    }
    const [rows] = await database.pool.query<RowDataPacket[][]>({ sql, rowsAsArray: true });
    return rows;
  }

  /** One number of the first row. */
  async count(target: string, sql: string): Promise<number> {
    return Number((await this.rows(target, sql))[0]?.[0]);
  }

  /** Writes a fence behind all that was written and waits until each target has seen it in every partition. */
  async untilCaughtUp(timeoutMs = CATCH_UP_MS): Promise<void> {
    this.#round += 1;
    const round = this.#round;
    const rows = Array.from({ length: FENCE_ROWS }, (_, i) => [i, round]);
    for (const { pool } of this.sources) {
      await pool.query(
        'INSERT INTO zz_fence (id, round) VALUES ? ON DUPLICATE KEY UPDATE round = VALUES(round)',
        [rows],
      );
    }
    await waitUntil(
      async () => {
        for (const { target } of this.targets) {
          for (const { source } of this.sources) {
            const count = `SELECT COUNT(*) FROM ${fenceTable(source)} WHERE round = ${round}`;
            if ((await this.count(target, count)) < FENCE_ROWS) return false;
          }
        }
        return true;
      },
      {
        what: 'every target to see the fence',
        timeoutMs,
        onError: 'fail',
        intervalMs: 100,
        details: () => this.#describeDaemons(),
      },
    );
  }

  /** Waits for the fence, then until every row of every table is equal; rows parked for another's sake get time to heal. */
  async untilEqual(timeoutMs = CATCH_UP_MS): Promise<Comparison> {
    await this.untilCaughtUp(timeoutMs);
    const comparison = await compareUntilEqual(this.#comparisons(), SETTLE_MS);
    const { missing, extra, different, samples } = comparison;
    expect({ missing, extra, different }, samples.map(describeDifference).join('\n')).toEqual({
      missing: 0,
      extra: 0,
      different: 0,
    });
    return comparison;
  }

  /** Waits until `daemon` has ended by itself. */
  async exitOf(daemon: Daemon, timeoutMs = 30_000): Promise<DaemonExit> {
    return await waitUntil(() => daemon.exit, {
      what: 'the daemon to end',
      timeoutMs,
      details: () => this.#describeDaemons(),
    });
  }

  /** Whatever the daemons have logged. */
  get logs(): string {
    return readdirSync(this.folder)
      .filter((file) => file.endsWith('.log'))
      .map((file) => readFileSync(join(this.folder, file), 'utf8'))
      .join('');
  }

  #target(name: string): TargetDatabase {
    const database = this.targets.find(({ target }) => target === name);
    if (database === undefined) throw new Error(`there is no target ${name}`);
    return database;
  }

  #comparisons(): TableComparison[] {
    return this.#layouts.flatMap(({ atTargets, comparisons }) =>
      comparisons.map(({ from, places = atTargets, ...rest }) => ({
        ...rest,
        table: from.join(', '),
        sources: this.sources.flatMap(({ source, url }) =>
          from.map((table) => ({ name: source, url, table })),
        ),
        targets: places.map(({ target, table }) => ({
          name: target,
          url: this.#target(target).url,
          table,
        })),
      })),
    );
  }

  async #writeConfig(options: PipelineOptions): Promise<void> {
    const config = await pipelineConfig(this.name, this, this.#layouts, {
      brokers: [...(options.brokers ?? testServers().brokers)],
      partitions: options.partitions ?? 4,
      format: options.format ?? 'chunk',
      sessionTimeoutMs: options.sessionTimeoutMs ?? 3_000,
    });
    options.configure?.(config);
    // JSON is YAML.
    writeFileSync(this.configFile, JSON.stringify(config, null, 2));
  }

  async #end(test: TestContext): Promise<void> {
    await Promise.all(this.#daemons.map(async (daemon) => await daemon.stop(5_000)));
    if (test.task.result?.state === 'fail') {
      process.stderr.write(`"${test.task.name}" failed: configuration and logs are kept in ${this.folder}\n`);
      return;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  #describeDaemons(): string {
    return this.#daemons
      .map((daemon, i) => {
        const state =
          daemon.exit === undefined ? JSON.stringify(daemon.status) : `ended (${daemon.describeExit()})`;
        return `daemon ${i + 1}: ${state}\n${daemon.logTail()}`;
      })
      .join('\n');
  }
}

/** Runs `work` again and again until `ms` have passed. */
export async function during(ms: number, work: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + ms;
  while (Date.now() < deadline) {
    await work();
    // Lets timers and signals in between two rounds of work that never waits.
    await sleep(1);
  }
}

function isPostgres(database: TargetDatabase): database is PostgresDatabase & { readonly target: string } {
  return database.server.kind === 'postgres';
}
