/**
 * One pipeline of the benchmark, MySQL to MySQL with the defaults of the product: a name, databases, a daemon. With several
 * shards the rows are shared by several databases of one server, so that sharding is all that differs.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2/promise';
import { remainder, type TableComparison } from '../lib/compare.ts';
import { Daemon } from '../lib/daemon.ts';
import type { SandboxServer } from '../sandbox/server.ts';
import { BENCH_TABLE, DONE_TABLE, PROBE_TABLE, withConnection } from './backlog.ts';

const SOURCE_DATABASE = 'bench';
/** Each table with the column that decides where there are shards; not the key, as in most sharded tables. */
const TABLES = [
  { table: 'bench', by: 'account' },
  { table: 'done', by: 'id' },
  { table: 'probe', by: 'id' },
] as const;

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
  /** The database that holds the first shard, or all. */
  readonly targetUrl: string;
  readonly comparisons: readonly TableComparison[];
  readonly profileDir: string;
  readonly #name: string;
  readonly #folder: string;
  readonly #profile: boolean;
  readonly #databases: readonly string[];

  private constructor(
    name: string,
    source: SandboxServer,
    target: SandboxServer,
    databases: readonly string[],
    folder: string,
    profile: boolean,
  ) {
    this.#name = name;
    this.#databases = databases;
    this.#folder = folder;
    this.#profile = profile;
    this.profileDir = join(folder, 'profiles');
    this.sourceUrl = withDatabase(source, SOURCE_DATABASE);
    this.targetUrl = withDatabase(target, databases[0]!);
    this.comparisons = TABLES.map(({ table, by }) => ({
      table,
      sources: [{ name: 'source', url: this.sourceUrl, table }],
      targets: databases.map((database) => ({ name: database, url: withDatabase(target, database), table })),
      key: ['id'],
      belongs: (row) => [`${databases[remainder(row[by], databases.length)]}.${table}`],
    }));
  }

  /** A fresh pipeline into empty databases called `name` or, with several shards, `name_0`, `name_1` …, starting from `gtid`. */
  static async create(options: {
    readonly name: string;
    readonly source: SandboxServer;
    readonly target: SandboxServer;
    readonly shards: number;
    readonly brokers: readonly string[];
    /** Where it begins; with `snapshot` it copies what the tables hold. */
    readonly startFrom: { readonly gtid: string } | 'snapshot';
    readonly snapshot?: Readonly<Record<string, unknown>>;
    readonly format: 'chunk' | 'row';
    readonly parent: string;
    readonly profile: boolean;
  }): Promise<BenchPipeline> {
    const { name, source, target, shards, brokers, startFrom, format } = options;
    const folder = join(options.parent, name);
    mkdirSync(folder);
    const databases = shards === 1 ? [name] : Array.from({ length: shards }, (_, i) => `${name}_${i}`);
    await withConnection(target.url, async (connection) => {
      for (const database of databases) {
        await connection.query(
          `CREATE DATABASE ${database}; USE ${database}; ${BENCH_TABLE}; ${DONE_TABLE}; ${PROBE_TABLE}`,
        );
      }
    });
    const pipeline = new BenchPipeline(name, source, target, databases, folder, options.profile);
    const targets = databases.map((database, i) => [`shard_${i}`, { url: withDatabase(target, database) }]);
    const on = targets.map(([shard]) => shard);
    const config = {
      name,
      kafka: { brokers, replicationFactor: 1, format },
      sources: {
        main: { url: source.url, serverId: 4711, tables: [`${SOURCE_DATABASE}.*`], startFrom },
      },
      targets: Object.fromEntries(targets) as object,
      routes: TABLES.map(({ table, by }) => ({
        from: `${SOURCE_DATABASE}.${table}`,
        ...(shards === 1 ? { target: on[0] } : { shards: { by, algorithm: 'modulo', on } }),
      })),
      ...(options.snapshot === undefined ? {} : { snapshot: options.snapshot }),
      runDir: 'run',
      log: { format: 'json' },
    };
    // JSON is YAML.
    writeFileSync(join(folder, 'bench.yaml'), JSON.stringify(config, null, 2), { mode: 0o600 });
    return pipeline;
  }

  /** 1 when the first row has arrived. */
  get startedQuery(): string {
    return `SELECT ${this.#databases.map((name) => `EXISTS (SELECT 1 FROM ${name}.bench)`).join(' OR ')}`;
  }

  /** How many of the rows behind the backlog have arrived. */
  get doneQuery(): string {
    return `SELECT ${this.#databases.map((name) => `(SELECT COUNT(*) FROM ${name}.done)`).join(' + ')}`;
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
