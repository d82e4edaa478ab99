/** The configuration of a test's pipeline, as plain data that a test may change before it is written. */
import type { RowDataPacket } from 'mysql2/promise';
import type { PipelineLayout } from './pipeline-tables.ts';
import type { MysqlDatabase } from './servers.ts';

/** The parts of a configuration that tests change; everything else passes through. */
export interface PipelineConfig {
  name: string;
  kafka: Record<string, unknown>;
  sources: Record<string, Record<string, unknown>>;
  targets: Record<string, Record<string, unknown>>;
  routes: Record<string, unknown>[];
  [section: string]: unknown;
}

export const API_TOKEN = 'a-token-for-tests-only';

export interface PipelineDatabases {
  readonly sources: readonly (MysqlDatabase & { readonly source: string })[];
  readonly targets: readonly { readonly target: string; readonly url: string }[];
}

/** It starts from before anything that the test writes from now on. */
export async function pipelineConfig(
  name: string,
  { sources, targets }: PipelineDatabases,
  layouts: readonly PipelineLayout[],
  kafka: Readonly<Record<string, unknown>>,
): Promise<PipelineConfig> {
  const config: PipelineConfig = {
    name,
    kafka: { replicationFactor: 1, ...kafka },
    sources: {},
    targets: Object.fromEntries(targets.map(({ target, url }) => [target, { url }])),
    routes: layouts.flatMap(({ routes }) => routes(sources[0]?.name ?? '')),
    runDir: '${env:ROWFERRY_TEST_RUN_DIR}',
    http: { port: 0, token: API_TOKEN },
    log: { format: 'json', level: 'debug' },
  };
  for (const source of sources) {
    const url = new URL(source.server.url);
    url.pathname = '';
    config.sources[source.source] = {
      url: url.href,
      serverId: 100_000 + Math.floor(Math.random() * 1e9),
      tables: [`${source.name}.*`],
      startFrom: await startHere(source),
    };
  }
  return config;
}

async function startHere({ pool, server }: MysqlDatabase): Promise<'earliest' | { readonly gtid: string }> {
  const variable = server.kind === 'mariadb' ? '@@GLOBAL.gtid_binlog_pos' : '@@GLOBAL.gtid_executed';
  const [rows] = await pool.query<RowDataPacket[]>(`SELECT ${variable} AS gtid`);
  const gtid = String(rows[0]?.['gtid'] ?? '').replaceAll('\n', '');
  return gtid === '' ? 'earliest' : { gtid };
}
