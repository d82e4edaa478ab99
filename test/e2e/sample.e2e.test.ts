import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { parse as parseYaml } from 'yaml';
import { expect, it } from 'vitest';
import { Daemon, PROGRAM } from '../../scripts/lib/daemon.ts';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));

/** The server's options in compose.yaml, but for those that the sandbox sets itself. */
function sourceFlags(): string[] {
  const { services } = parseYaml(readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8'), { merge: true }) as {
    services: { source: { command: string[] } };
  };
  return services.source.command.filter((flag) => !/^--(server-id|log-bin)=/.test(flag));
}

it('the sample of compose.yaml copies its shop and follows it', async (t) => {
  const sandbox = await startSandbox({
    mysql: [{ name: 'sample', flags: sourceFlags() }],
    postgres: ['sample'],
    kafka: true,
    ownServers: true,
  });
  const folder = mkdtempSync(join(tmpdir(), 'rowferry-sample-'));
  t.onTestFinished(async () => {
    await sandbox.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const [source] = sandbox.mysql;
  const [target] = sandbox.postgres;
  if (source === undefined || target === undefined) throw new Error('the sandbox lacks a server');
  const root = await createConnection({ uri: source.url, multipleStatements: true });
  const admin = new Client({ connectionString: target.url });
  await admin.connect();
  // What the images do by their variables.
  await root.query("CREATE USER rowferry@'%' IDENTIFIED BY 'source-secret'");
  await admin.query("CREATE ROLE rowferry LOGIN PASSWORD 'target-secret'");
  await admin.query('CREATE DATABASE shop OWNER rowferry');
  await admin.end();
  await root.query(readFileSync(join(DEPLOY, 'compose/source.sql'), 'utf8'));

  const configFile = join(folder, 'rowferry.yaml');
  writeFileSync(configFile, readFileSync(join(DEPLOY, 'compose/rowferry.yaml'), 'utf8'));
  const env = {
    SOURCE_HOST: source.host,
    SOURCE_PORT: String(source.port),
    SOURCE_PASSWORD: 'source-secret',
    TARGET_HOST: target.host,
    TARGET_PORT: String(target.port),
    TARGET_PASSWORD: 'target-secret',
    KAFKA_BROKERS: sandbox.brokers.join(','),
    HTTP_TOKEN: 'sample-http-token-0123456789',
    XDG_RUNTIME_DIR: folder,
  };
  const verb = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args, '-c', configFile], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    expect(status, stdout + stderr).toBe(0);
    return stdout;
  };
  // As the service "schema" does, also when everything starts once more.
  verb('schema', 'plan', '--dir', join(folder, 'schema'));
  verb('schema', 'apply', '--dir', join(folder, 'schema'));
  expect(verb('schema', 'plan', '--dir', join(folder, 'schema'))).toContain('nothing new');
  expect(verb('schema', 'apply', '--dir', join(folder, 'schema'))).toContain('nothing to apply');
  expect(verb('check')).toContain('ready to run');

  const daemon = Daemon.start({
    configFile,
    name: 'shop',
    runDir: join(folder, 'rowferry-shop'),
    logFile: join(folder, 'daemon.log'),
    env,
  });
  t.onTestFinished(async () => {
    await daemon.kill();
  });
  const rows = new Client({
    host: target.host,
    port: target.port,
    user: 'rowferry',
    password: 'target-secret',
    database: 'shop',
  });
  await rows.connect();
  const sums = async (): Promise<unknown> =>
    (
      await rows.query(
        `SELECT (SELECT count(*)::int FROM orders) AS orders, (SELECT sum(pieces)::int FROM orders) AS pieces,
           (SELECT sum(price)::text FROM products) AS prices`,
      )
    ).rows[0];
  const until = async (wanted: object): Promise<void> => {
    await waitUntil(async () => JSON.stringify(await sums()) === JSON.stringify(wanted), {
      what: JSON.stringify(wanted),
      timeoutMs: 60_000,
      details: () => readFileSync(daemon.logFile, 'utf8').slice(-3_000),
    });
  };
  await until({ orders: 10_000, pieces: 55_000, prices: '168.40' });
  await root.query('UPDATE shop.products SET price = price + 1; DELETE FROM shop.orders WHERE pieces = 10');
  await until({ orders: 9_000, pieces: 45_000, prices: '171.40' });
  await rows.end();
  await root.end();
});
