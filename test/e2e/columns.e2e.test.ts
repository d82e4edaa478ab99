import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { Pipeline } from '../support/pipeline.ts';
import type { PipelineLayout } from '../support/pipeline-tables.ts';
import { testServers } from '../support/servers.ts';

const HASH_KEY = 'a key that only this test knows';
/** Stands in every value that must stay at the source. */
const PRIVATE = 'planted';

const USERS = `CREATE TABLE users (
  id BIGINT NOT NULL PRIMARY KEY,
  email VARCHAR(120) NOT NULL,
  phone VARCHAR(40) NULL,
  name VARCHAR(80) NOT NULL,
  bio TEXT NULL,
  passport VARCHAR(40) NULL,
  points INT NOT NULL,
  seen_at DATETIME(3) NULL
) DEFAULT CHARSET = utf8mb4`;

/** What they log in with (east), what others see of them (west), and what they own (vault). */
const SPLIT_USERS: PipelineLayout = {
  atSources: [USERS],
  atTargets: [
    {
      target: 'east',
      table: 'user_core',
      create:
        'CREATE TABLE user_core (id BIGINT PRIMARY KEY, login VARCHAR(120) NOT NULL UNIQUE, phone CHAR(64) NULL, made_by VARCHAR(20) NOT NULL, generation BIGINT NOT NULL) DEFAULT CHARSET = utf8mb4',
    },
    {
      target: 'west',
      table: 'user_profile',
      create:
        'CREATE TABLE user_profile (id BIGINT PRIMARY KEY, display_name TEXT NOT NULL, bio TEXT, phone TEXT)',
    },
    {
      target: 'vault',
      table: 'user_account',
      create: 'CREATE TABLE user_account (id BIGINT PRIMARY KEY, points INT NOT NULL, seen_at TIMESTAMP(3))',
    },
  ],
  routes: (schema) => [
    {
      from: `${schema}.users`,
      to: 'user_core',
      target: 'east',
      columns: {
        only: ['id', 'email', 'phone'],
        rename: { email: 'login' },
        hash: ['phone'],
        hashKey: HASH_KEY,
        add: { made_by: 'shop of {source}', generation: 7 },
      },
    },
    {
      from: `${schema}.users`,
      to: 'user_profile',
      target: 'west',
      columns: {
        only: ['id', 'name', 'bio', 'phone'],
        rename: { name: 'display_name' },
        mask: { phone: 4 },
      },
    },
    {
      from: `${schema}.users`,
      to: 'user_account',
      target: 'vault',
      columns: { drop: ['email', 'phone', 'name', 'bio', 'passport'] },
    },
  ],
  comparisons: [
    {
      from: ['users'],
      places: [{ target: 'east', table: 'user_core' }],
      key: ['id'],
      columns: {
        id: 'id',
        login: 'email',
        phone: ({ phone }) =>
          phone == null ? null : createHmac('sha256', HASH_KEY).update(phone).digest('hex'),
        made_by: () => 'shop of main',
        generation: () => '7',
      },
    },
    {
      from: ['users'],
      places: [{ target: 'west', table: 'user_profile' }],
      key: ['id'],
      columns: {
        id: 'id',
        display_name: 'name',
        bio: 'bio',
        phone: ({ phone }) => (phone == null ? null : phone.slice(-4).padStart(phone.length, '*')),
      },
    },
    {
      from: ['users'],
      places: [{ target: 'vault', table: 'user_account' }],
      key: ['id'],
      columns: { id: 'id', points: 'points', seen_at: 'seen_at' },
    },
  ],
};

async function splitUsers(test: TestContext): Promise<Pipeline> {
  const { shard, postgres } = testServers();
  return await Pipeline.create(test, {
    layouts: [SPLIT_USERS],
    targets: [
      { name: 'east', server: shard },
      { name: 'west', server: postgres },
      { name: 'vault', server: postgres },
    ],
  });
}

type User = readonly [id: number, email: string, phone: string | null, name: string];

async function insert(pipeline: Pipeline, users: readonly User[]): Promise<void> {
  const rows = users.map(([id, email, phone, name]) => [
    id,
    email,
    phone,
    name,
    `about ${name}`,
    `${PRIVATE} passport ${id}`,
    10 * id,
  ]);
  await pipeline.write('INSERT INTO users (id, email, phone, name, bio, passport, points) VALUES ?', [rows]);
}

const USER_ROWS: readonly User[] = Array.from({ length: 60 }, (_, i) => [
  i + 1,
  `user-${i + 1}@example.com`,
  i % 7 === 0 ? null : `${PRIVATE}-${1_000 + i}`,
  `Ünal 寿司 ${i + 1}`,
]);

describe('users that are split by columns over three targets', () => {
  it('have each part at its target, renamed, hashed, masked and marked', async (t) => {
    const pipeline = await splitUsers(t);
    await pipeline.startRunning();
    await insert(pipeline, USER_ROWS);
    const { compared } = await pipeline.untilEqual();
    expect(compared).toBe(3 * USER_ROWS.length);
    await pipeline.transaction([
      `UPDATE users SET phone = '${PRIVATE}-9999', name = 'new' WHERE id < 5`,
      "UPDATE users SET id = id + 1000, email = CONCAT('x', email) WHERE id BETWEEN 10 AND 20",
      'UPDATE users SET phone = NULL, bio = NULL WHERE id BETWEEN 30 AND 33',
      'DELETE FROM users WHERE id BETWEEN 40 AND 49',
    ]);
    await pipeline.untilEqual();
    await pipeline.write('DELETE FROM users');
    await pipeline.untilEqual();
    for (const [target, table] of [
      ['east', 'user_core'],
      ['west', 'user_profile'],
      ['vault', 'user_account'],
    ] as const) {
      expect(await pipeline.count(target, `SELECT COUNT(*) FROM ${table}`), table).toBe(0);
    }
  });

  it('are not rewritten where no column of theirs changed', async (t) => {
    const pipeline = await splitUsers(t);
    await pipeline.startRunning();
    await insert(pipeline, USER_ROWS);
    await pipeline.untilEqual();
    // A row version of PostgreSQL: its writer and its place.
    const versions = async (): Promise<unknown[][]> =>
      await pipeline.rows('west', 'SELECT id, xmin::text, ctid::text FROM user_profile ORDER BY id');
    const before = await versions();
    for (let round = 0; round < 20; round++)
      await pipeline.write('UPDATE users SET points = points + 1, seen_at = NOW(3)');
    await pipeline.untilEqual();
    expect(await versions()).toEqual(before);
    await pipeline.write("UPDATE users SET points = points + 1, bio = 'changed' WHERE id = 3");
    await pipeline.untilEqual();
    const changed = (await versions()).filter(([id, ...rest], i) => {
      const [same, ...old] = before[i] ?? [];
      return id !== same || rest.join() !== old.join();
    });
    expect(changed.map(([id]) => id)).toEqual(['3']);
  });

  it('show nothing of what was hidden, at no target, in no log and in no error', async (t) => {
    const pipeline = await splitUsers(t);
    const daemon = await pipeline.startRunning();
    await insert(pipeline, USER_ROWS);
    await pipeline.untilEqual();
    await pipeline.meddle(
      'east',
      "INSERT INTO user_core VALUES (5000, 'taken@example.com', NULL, 'somebody', 0)",
    );
    await insert(pipeline, [[100, 'taken@example.com', `${PRIVATE}-1`, 'parked']]);
    await daemon.untilStatus('a parked row', ({ partitions }) => partitions.some(({ parked }) => parked > 0));
    expect(await pipeline.count('east', 'SELECT COUNT(*) FROM rowferry_parked')).toBe(1);
    await pipeline.meddle('west', 'ALTER TABLE user_profile ALTER display_name TYPE VARCHAR(12)');
    await insert(pipeline, [[101, 'long@example.com', `${PRIVATE}-2`, `${PRIVATE} far too long`]]);
    await daemon.untilStatus('a partition to stop', ({ partitions }) =>
      partitions.some(({ errorCode }) => errorCode === 'ROWFERRY_TARGET_DATA'),
    );

    for (const text of await everyRow(pipeline)) expect(text).not.toContain(PRIVATE);
    for (const file of filesOf(pipeline.folder)) {
      const text = readFileSync(file, 'utf8');
      expect(text.length, file).toBeGreaterThan(0);
      expect(text, file).not.toContain(PRIVATE);
      if (file !== pipeline.configFile) expect(text, file).not.toContain(HASH_KEY);
    }
    expect(pipeline.logs).toContain('ROWFERRY_TARGET_DATA');
  });
});

/** Each row of each table of each target as a text, rowferry's own tables included. */
async function everyRow(pipeline: Pipeline): Promise<string[]> {
  const texts: string[] = [];
  for (const { target, server } of pipeline.targets) {
    const schema = server.kind === 'postgres' ? 'current_schema()' : 'DATABASE()';
    const tables = await pipeline.rows(
      target,
      `SELECT table_name FROM information_schema.tables WHERE table_schema = ${schema}`,
    );
    expect(tables.flat()).toContain('rowferry_parked');
    for (const [table] of tables) {
      const rows = await pipeline.rows(target, `SELECT * FROM ${String(table)}`);
      for (const row of rows)
        texts.push(
          row.map((value) => (Buffer.isBuffer(value) ? value.toString() : JSON.stringify(value))).join(),
        );
    }
  }
  expect(texts.length).toBeGreaterThan(3 * USER_ROWS.length);
  return texts;
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
