/** The demo's stage: servers, the shop at the source, targets without a table, and the configuration of the daemon. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import type { TableComparison } from '../lib/compare.ts';
import type { Random } from '../lib/random.ts';
import type { Place, ShopSize } from '../lib/shop.ts';
import { runVerb } from '../lib/run-verb.ts';
import { MYSQL_SHOP, seedShop } from '../lib/shop.ts';
import type { SandboxServer } from '../sandbox/server.ts';
import { startSandbox, type Sandbox } from '../sandbox/start-sandbox.ts';
import { shopComparisons } from './target-shop.ts';

export interface Stage {
  readonly sandbox: Sandbox;
  readonly source: Place;
  readonly east: Place;
  readonly west: Place;
  readonly comparisons: readonly TableComparison[];
  /** Holds the configuration, its variables, the daemon's log and status. */
  readonly folder: string;
  readonly configFile: string;
  readonly envFile: string;
  readonly env: Readonly<Record<string, string>>;
}

const CONFIG = fileURLToPath(new URL('shop.yaml', import.meta.url));
const DATABASE = 'shop';
/** Of `schema diff`. */
const EXIT_DIFFERENT = 4;

export async function buildStage(): Promise<Stage> {
  const sandbox = await startSandbox({ mysql: ['source', 'east'], postgres: ['west'], kafka: true });
  try {
    const [sourceServer, eastServer] = sandbox.mysql;
    const [westServer] = sandbox.postgres;
    if (sourceServer === undefined || eastServer === undefined || westServer === undefined) {
      throw new Error('the sandbox lacks a server that it was asked for');
    }
    await Promise.all([
      createMysqlShop(sourceServer, Object.values(MYSQL_SHOP)),
      createMysqlShop(eastServer),
      createPostgresShop(westServer),
    ]);
    const folder = mkdtempSync(join(tmpdir(), 'rowferry-demo-'));
    const configFile = join(folder, 'shop.yaml');
    copyFileSync(CONFIG, configFile);
    const hashKey = randomBytes(16).toString('hex');
    const env = {
      HASH_KEY: hashKey,
      KAFKA_BROKERS: sandbox.brokers.join(','),
      ...variables('SOURCE', sourceServer),
      ...variables('EAST', eastServer),
      ...variables('WEST', westServer),
    };
    const envFile = join(folder, 'shop.env');
    const lines = Object.entries(env).map(([name, value]) => `${name}='${value.replaceAll("'", `'\\''`)}'`);
    writeFileSync(envFile, `${lines.join('\n')}\n`, { mode: 0o600 });
    const source = { name: 'source', url: shopUrl(sourceServer) };
    const east = { name: 'east', url: shopUrl(eastServer) };
    const west = { name: 'west', url: shopUrl(westServer) };
    const comparisons = shopComparisons(source, [east, west], hashKey);
    return { sandbox, source, east, west, comparisons, folder, configFile, envFile, env };
  } catch (error) {
    await sandbox.stop();
    throw error;
  }
}

/** Fills the shop at the source; answers the number of rows. */
export async function fillShop({ source }: Stage, size: ShopSize, random: Random): Promise<number> {
  const connection = await createConnection({ uri: source.url });
  try {
    return await seedShop(connection, size, random);
  } finally {
    await connection.end();
  }
}

/** Plans the targets' tables into SQL files and makes them; answers how many there are. */
export async function makeTables(stage: Stage): Promise<number> {
  await schemaVerb(stage, ['plan']);
  return statementsIn(await schemaVerb(stage, ['apply', '--before-copy']));
}

/** Makes the indexes that waited for the copy, while the tables are written; answers how many there are. */
export async function makeIndexes(stage: Stage): Promise<number> {
  return statementsIn(await schemaVerb(stage, ['apply']));
}

/** What the targets have otherwise than source and routes ask for. */
export async function schemaDifferences(stage: Stage): Promise<readonly string[]> {
  return await schemaVerb(stage, ['diff', '--json'], [0, EXIT_DIFFERENT]);
}

async function schemaVerb(
  { configFile, env }: Stage,
  args: readonly string[],
  codes: readonly number[] = [0],
): Promise<readonly string[]> {
  const { lines } = await runVerb(['schema', ...args, '--config', configFile], env, codes);
  return lines;
}

function statementsIn(lines: readonly string[]): number {
  const counts = lines.map((line) =>
    Number(/: applied, ([\d,]+) statements?$/.exec(line)?.[1]?.replaceAll(',', '') ?? 0),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function createMysqlShop(server: SandboxServer, tables: readonly string[] = []): Promise<void> {
  const connection = await createConnection({ uri: server.url });
  try {
    // Only a server that somebody else runs can have one already: then it is not ours to touch.
    await connection.query(`CREATE DATABASE ${DATABASE}`);
    await connection.query(`USE ${DATABASE}`);
    for (const statement of tables) await connection.query(statement);
  } finally {
    await connection.end();
  }
}

async function createPostgresShop({ url }: SandboxServer): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
}

function shopUrl({ url }: SandboxServer): string {
  const shop = new URL(url);
  shop.pathname = `/${DATABASE}`;
  return shop.href;
}

function variables(prefix: string, { user, password, host, port }: SandboxServer): Record<string, string> {
  return {
    [`${prefix}_USER`]: user,
    [`${prefix}_PASSWORD`]: password,
    [`${prefix}_HOST`]: host,
    [`${prefix}_PORT`]: String(port),
  };
}
