import { expect, onTestFinished, test } from 'vitest';
import { PostgresConnection } from '../../src/drivers/postgres.ts';
import { databaseUrl } from './target-fixture.ts';
import { postgresDatabase } from '../support/servers.ts';

const statement = (i: number): { name: string; text: string; values: string[] } => ({
  name: `rowferry_${i}`,
  text: `SELECT $1::int + ${i} AS sum`,
  values: ['1'],
});

test('A connection keeps the statements prepared that it uses often, and frees those that it does not', async (context) => {
  const { url } = await postgresDatabase(context);
  const connection = await PostgresConnection.connect({
    url: databaseUrl(url),
    side: 'target',
    where: {},
    session: [],
  });
  onTestFinished(() => connection.close());
  const use = async (from: number, to: number): Promise<void> => {
    await connection.freeStatements();
    const numbers = Array.from({ length: to - from }, (_, i) => from + i);
    await connection.query({ text: 'BEGIN' });
    const answers = await Promise.all(numbers.map((i) => connection.query(statement(i))));
    expect(answers.map(({ rows }) => rows[0]?.['sum'])).toEqual(numbers.map((i) => String(i + 1)));
    await connection.query({ text: 'COMMIT' });
  };
  const prepared = async (): Promise<number> => {
    const { rows } = await connection.query({ text: 'SELECT count(*) AS count FROM pg_prepared_statements' });
    return Number(rows[0]?.['count']);
  };
  await use(0, 1_000);
  await use(0, 1_000);
  expect(await prepared()).toBe(0);
  for (let round = 0; round < 3; round++) await use(0, 150);
  expect(await prepared()).toBe(150);
  for (let round = 0; round < 3; round++) await use(500, 650);
  await connection.freeStatements();
  // Fifty of the older ones are still among the last two hundred.
  expect(await prepared()).toBe(200);
  // What was freed is prepared again under its name.
  for (let round = 0; round < 3; round++) await use(0, 150);
  await connection.freeStatements();
  expect(await prepared()).toBe(200);
  // A statement that was refused is not there to be freed.
  const broken = { name: 'rowferry_broken', text: 'SELECT nothing FROM nowhere' };
  for (let i = 0; i < 3; i++) {
    await expect(connection.query(broken)).rejects.toMatchObject({ code: 'ROWFERRY_TARGET_SCHEMA' });
  }
  for (let round = 0; round < 3; round++) await use(0, 200);
  await connection.freeStatements();
  expect(await prepared()).toBe(200);
  expect(connection.isUsable).toBe(true);
});
