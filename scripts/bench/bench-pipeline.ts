/** One pipeline of the benchmark, MySQL to MySQL with the defaults of the product: a name, databases, a daemon. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2/promise';
import type { TableComparison } from '../lib/compare.ts';
import { Daemon } from '../lib/daemon.ts';
import type { SandboxServer } from '../sandbox/server.ts';
import { BENCH_TABLE, DONE_TABLE, PROBE_TABLE, withConnection } from './backlog.ts';

const SOURCE_DATABASE = 'bench';
const TABLES = ['bench', 'done', 'probe'] as const;

/** Creates the tables at the source; answers where the binlog stands then. */
export async function prepareSource(source: SandboxServer): Promise<string> {
  return await withConnection(source.url, async (connection) => {
    await connection.query(
      `CREATE DATABASE ${SOURCE_DATABASE}; USE ${SOURCE_DATABASE}; ${BENCH_TABLE}; ${DONE_TABLE}; ${PROBE_TABLE}`,
    );
    const [rows] = await connection.query<RowDataPacket[]>('SELECT @@GLOBAL.gtid_executed AS gtid');
    return String(rows[0]?.['gtid']).replaceAll('\n', '');
  });
}

export class BenchPipeline {
  readonly sourceUrl: string;
  readonly targetUrl: string;
  readonly comparisons: readonly TableComparison[];
  readonly profileDir: string;
  readonly #name: string;
  readonly #folder: string;
  readonly #profile: boolean;

  private constructor(
    name: string,
    source: SandboxServer,
    target: SandboxServer,
    folder: string,
    profile: boolean,
  ) {
    this.#name = name;
    this.#folder = folder;
    this.#profile = profile;
    this.profileDir = join(folder, 'profiles');
    this.sourceUrl = withDatabase(source, SOURCE_DATABASE);
    this.targetUrl = withDatabase(target, name);
    this.comparisons = TABLES.map((table) => ({
      source: { name: 'source', url: this.sourceUrl, table },
      targets: [{ name: 'target', url: this.targetUrl, table }],
      key: ['id'],
      shardBy: null,
    }));
  }

  /** A fresh pipeline into an empty database called `name`, starting from `gtid`. */
  static async create(options: {
    readonly name: string;
    readonly source: SandboxServer;
    readonly target: SandboxServer;
    readonly brokers: readonly string[];
    readonly gtid: string;
    readonly format: 'chunk' | 'row';
    readonly parent: string;
    readonly profile: boolean;
  }): Promise<BenchPipeline> {
    const { name, source, target, brokers, gtid, format } = options;
    const folder = join(options.parent, name);
    mkdirSync(folder);
    await withConnection(target.url, async (connection) => {
      await connection.query(
        `CREATE DATABASE ${name}; USE ${name}; ${BENCH_TABLE}; ${DONE_TABLE}; ${PROBE_TABLE}`,
      );
    });
    const pipeline = new BenchPipeline(name, source, target, folder, options.profile);
    const config = {
      name,
      kafka: { brokers, replicationFactor: 1, format },
      sources: {
        main: { url: source.url, serverId: 4711, tables: [`${SOURCE_DATABASE}.*`], startFrom: { gtid } },
      },
      targets: { main: { url: pipeline.targetUrl } },
      routes: TABLES.map((table) => ({ from: `${SOURCE_DATABASE}.${table}`, target: 'main' })),
      runDir: 'run',
      log: { format: 'json' },
    };
    // JSON is YAML.
    writeFileSync(join(folder, 'bench.yaml'), JSON.stringify(config, null, 2), { mode: 0o600 });
    return pipeline;
  }

  start(): Daemon {
    return Daemon.start({
      configFile: join(this.#folder, 'bench.yaml'),
      name: this.#name,
      runDir: join(this.#folder, 'run'),
      logFile: join(this.#folder, 'daemon.log'),
      nodeOptions: this.#profile ? ['--cpu-prof', `--cpu-prof-dir=${this.profileDir}`] : [],
    });
  }
}

function withDatabase({ url }: SandboxServer, database: string): string {
  const named = new URL(url);
  named.pathname = `/${database}`;
  return named.href;
}
