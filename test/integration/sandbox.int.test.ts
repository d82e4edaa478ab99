import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { probeServer } from '../../scripts/sandbox/probe-server.ts';
import { isAlive, processTree } from '../../scripts/sandbox/process-tree.ts';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import { startSandbox, type Sandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { mysqlDatabase, postgresDatabase, testServers, uniqueName } from '../support/servers.ts';

describe("the run's shared servers", () => {
  it('are MySQL 8 or newer twice, MariaDB, PostgreSQL and Kafka', async () => {
    const { src, shard, mariadb, postgres, kafka } = testServers();
    expect(await probeServer('mysql', src)).toMatch(/^([89]|\d\d)\./);
    expect(await probeServer('mysql', shard)).toBe(src.version);
    expect(await probeServer('mariadb', mariadb)).toContain('MariaDB');
    expect(await probeServer('postgres', postgres)).toMatch(/^1[5-9]/);
    expect(kafka.version).not.toBe('');
  });

  it('give every test a database of its own', async (t) => {
    const mysql = await mysqlDatabase(t);
    const mariadb = await mysqlDatabase(t, testServers().mariadb);
    const postgres = await postgresDatabase(t);
    const [rows] = await mysql.pool.query<RowDataPacket[]>('SELECT DATABASE() AS name');
    expect(rows).toEqual([{ name: mysql.name }]);
    await expect(mariadb.pool.query('SELECT 1')).resolves.toBeDefined();
    const { rows: found } = await postgres.pool.query('SELECT current_database() AS name');
    expect(found).toEqual([{ name: postgres.name }]);
  });

  it.each(['src', 'mariadb'] as const)('capture can read the binlog of %s', async (name) => {
    const connection = await createConnection(testServers()[name].url);
    try {
      const [rows] = await connection.query<RowDataPacket[]>(
        `SELECT @@log_bin AS log, @@binlog_format AS format, @@binlog_row_image AS image,
                @@binlog_row_metadata AS metadata, @@server_id > 0 AS hasId`,
      );
      expect(rows).toEqual([{ log: 1, format: 'ROW', image: 'FULL', metadata: 'FULL', hasId: 1 }]);
    } finally {
      await connection.end();
    }
  });

  it('Kafka takes a topic', async () => {
    const { brokers } = testServers();
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      const topic = uniqueName('topic');
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 4 }] });
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      expect(topics[0]?.partitions).toHaveLength(4);
      await admin.deleteTopics({ topics: [topic] });
    } finally {
      await admin.disconnect();
    }
  });
});

describe("a sandbox of a test's own", () => {
  let sandbox: Sandbox;
  let servers: SandboxServer[];

  beforeAll(async () => {
    sandbox = await startSandbox({
      mysql: [{ name: 'one', flags: ['--max-binlog-size=4096'] }, 'two'],
      postgres: 1,
      kafka: { flags: ['message.max.bytes=2000000'] },
      ownServers: true,
    });
    const { mysql, postgres, kafka } = sandbox;
    servers = [...mysql, ...postgres, ...(kafka === undefined ? [] : [kafka])];
  });

  afterAll(() => sandbox.stop());

  function server(kind: SandboxServer['kind']): SandboxServer {
    const found = servers.find((each) => each.kind === kind);
    if (found === undefined) throw new Error(`no ${kind}`);
    return found;
  }

  async function query(uri: string, sql: string): Promise<unknown> {
    const connection: Connection = await createConnection({ uri, connectTimeout: 2_000 });
    try {
      const [rows] = await connection.query(sql);
      return rows;
    } finally {
      await connection.end();
    }
  }

  it('gives every MySQL its own flags, server id and UUID', async () => {
    const sql = 'SELECT @@server_id AS id, @@server_uuid AS uuid, @@max_binlog_size AS size';
    const [one, two] = await Promise.all(sandbox.mysql.map(({ url }) => query(url, sql)));
    expect(one).toMatchObject([{ id: 101, size: 4096 }]);
    expect(two).toMatchObject([{ id: 102 }]);
    expect(one).not.toMatchObject([{ uuid: (two as { uuid: string }[])[0]?.uuid }]);
  });

  it.each(['stop', 'kill'] as const)('keeps port and data over %s and start', async (end) => {
    const { url } = server('mysql');
    await query(url, `CREATE DATABASE kept_over_${end}`);
    await server('mysql')[end]();
    await expect(query(url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await server('mysql').start();
    expect(await query(url, `SHOW DATABASES LIKE 'kept\\_over\\_${end}'`)).toHaveLength(1);
  });

  it.each(['postgres', 'kafka'] as const)('restarts %s on the same port', async (kind) => {
    await server(kind).restart();
    await expect(probeServer(kind, server(kind))).resolves.toBeDefined();
  });

  it.each(['mysql', 'postgres', 'kafka'] as const)('freezes %s until it is resumed', async (kind) => {
    await server(kind).pause();
    await expect(probeServer(kind, server(kind))).rejects.toThrow();
    await server(kind).resume();
    await waitUntil(() => probeServer(kind, server(kind)), { what: `${kind} to answer again` });
  });

  it('leaves no process and no file behind, not even of a paused server', async () => {
    await server('postgres').pause();
    const processes = servers.flatMap(({ pid }) => (pid === undefined ? [] : processTree(pid)));
    const folders = servers.flatMap(({ dataDir }) =>
      dataDir === undefined ? [] : [dirname(dirname(dataDir))],
    );
    await sandbox.stop();
    await waitUntil(() => !processes.some(isAlive), { what: 'all processes to end' });
    expect(folders.filter((folder) => existsSync(folder))).toEqual([]);
    await expect(probeServer('mysql', server('mysql'))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
