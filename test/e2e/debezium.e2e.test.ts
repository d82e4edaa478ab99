import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import type { RowDataPacket } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import type { TestContext } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { checkCommand } from '../../src/cli/check.ts';
import { positionsCommand } from '../../src/cli/positions.ts';
import { statusCommand } from '../../src/cli/status.ts';
import { Random } from '../../scripts/lib/random.ts';
import { mysqlReader, VALUE_CASES, type ValueCase } from '../integration/value-cases.ts';
import { debeziumConnect } from '../support/debezium.ts';
import { runVerb } from '../support/run-verb.ts';
import { Pipeline, type PipelineOptions } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';
import { testServers, uniqueName } from '../support/servers.ts';

/** What Debezium itself changes when it reads a table: long floats are rounded, year 0 becomes 2000. */
function losesInSnapshot({ mysql, wire }: ValueCase): boolean {
  if (mysql === 'year') return wire === 0;
  return mysql === 'float' && (wire === 16777216 || wire === 3.4028235e38);
}

const COLUMNS = VALUE_CASES.map((value, i) => ({
  ...value,
  name: `v${i}`,
  postgresType: Object.keys(value.postgres)[0]!,
  // A char column shows without its padding.
  shown: value.mysql.startsWith('char') ? value.reads : Object.values(value.postgres)[0]!,
}));

/** Only this type becomes a uuid. */
const UUID = COLUMNS.find(({ mysql }) => mysql === 'binary(16)')!.name;

/** How a connector writes, as what the source must know of it, and which cases it cannot carry. */
interface Writer {
  readonly name: string;
  readonly connector: Readonly<Record<string, string>>;
  readonly debezium: (table: string) => object;
  readonly loses?: (column: (typeof COLUMNS)[number]) => boolean;
}

const WRITERS: readonly Writer[] = [
  { name: 'plain', connector: {}, debezium: (table) => ({ types: { [table]: { [UUID]: 'binary(16)' } } }) },
  {
    name: 'texts',
    connector: {
      'decimal.handling.mode': 'string',
      'bigint.unsigned.handling.mode': 'long',
      'binary.handling.mode': 'hex',
      'time.precision.mode': 'isostring',
      'column.propagate.source.type': '.*',
    },
    debezium: () => ({ binaryHandlingMode: 'hex' }),
    // Times outside a day have no such text: Debezium writes null.
    loses: ({ mysql, literal }) => mysql.startsWith('time(') && !/'\d\d:/.test(literal),
  },
];

const BARE: readonly Writer[] = [
  {
    name: 'bare',
    connector: {
      'time.precision.mode': 'microseconds',
      'binary.handling.mode': 'base64-url-safe',
    },
    debezium: (table) => ({
      types: {
        [table]: { id: 'int', ...Object.fromEntries(COLUMNS.map(({ name, type }) => [name, type])) },
        [table.replace('.kinds', '.zz_fence')]: { id: 'int', round: 'int' },
      },
      bigintUnsignedHandlingMode: 'precise',
      timePrecisionMode: 'microseconds',
      binaryHandlingMode: 'base64-url-safe',
    }),
  },
];

/** A pipeline whose only source is Debezium's topics of the source database. */
async function fedPipeline(
  test: TestContext,
  options: PipelineOptions,
  debezium: object = {},
): Promise<Pipeline> {
  return await Pipeline.create(test, {
    ...options,
    configure: (config) => {
      config.sources = { main: { debezium: { topics: [`/dbz_${config.name}\\..+\\..+/`], ...debezium } } };
      options.configure?.(config);
    },
  });
}

/** Inserts, updates, deletes, moved rows and changed keys, some in one transaction, until stopped. */
async function changeItems(pipeline: Pipeline, seed: number, signal: AbortSignal): Promise<number> {
  const random = new Random(seed);
  let statements = 0;
  for (; !signal.aborted; statements++) {
    const id = random.between(0, 59);
    const other = 100 * seed + random.between(0, 59);
    const owner = random.between(0, 7);
    const changes = [
      `INSERT INTO items (id, owner, code) VALUES (${id}, ${owner}, 'c${statements}') ON DUPLICATE KEY UPDATE owner = ${owner}, n = n + 1`,
      `UPDATE items SET n = n + 1, owner = owner + 1 WHERE id BETWEEN ${id} AND ${id + 5}`,
      `DELETE FROM items WHERE id = ${id}`,
      `UPDATE IGNORE items SET id = ${other} WHERE id = ${id}`,
    ];
    if (statements % 5 === 0) await pipeline.transaction(changes);
    else await pipeline.write(random.pick(changes));
    await sleep(2);
  }
  return statements;
}

/** Changes of one millisecond are not told from repetitions: at most those of a transaction in each partition. */
const AS_YOUNG_AS_THE_NEWEST = 40;

/** Where in the binlog each change of a topic stood, in no order. */
async function changesIn(topic: string): Promise<string[]> {
  const brokers = [...testServers().brokers];
  const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  let missing = ends.reduce((sum, { high }) => sum + Number(high), 0);
  const changes: string[] = [];
  const consumer = kafka.consumer({ groupId: uniqueName('count') });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    eachMessage: ({ message }) => {
      missing -= 1;
      if (message.value === null) return Promise.resolve();
      const { payload } = JSON.parse(message.value.toString()) as {
        readonly payload: {
          readonly op: string;
          readonly source: Readonly<Record<string, unknown>>;
          readonly after: unknown;
        };
      };
      const { file, pos, row } = payload.source;
      changes.push(JSON.stringify([file, pos, row, payload.op, payload.op === 'r' ? payload.after : null]));
      return Promise.resolve();
    },
  });
  await waitUntil(() => missing === 0, { what: 'the whole topic to be read', timeoutMs: 20_000 });
  await consumer.disconnect();
  return changes;
}

describe('topics that Debezium writes', () => {
  it('are applied row by row, whatever changes, also when Debezium is killed and repeats itself', async (t) => {
    const pipeline = await fedPipeline(t, { tables: [itemsTable()] });
    await pipeline.write(
      `INSERT INTO items (id, owner, code) VALUES ${Array.from({ length: 40 }, (_, i) => `(${i}, ${i}, 'first')`).join(', ')}`,
    );
    const connect = await debeziumConnect(t, {
      source: pipeline.source,
      partitions: 3,
      connectors: { [`dbz_${pipeline.name}`]: {} },
    });
    const daemon = pipeline.start();
    await connect.start();
    await pipeline.untilEqual();

    const stop = new AbortController();
    const load = changeItems(pipeline, 1, stop.signal);
    await sleep(1_000);
    const savedMs = statSync(connect.offsetsFile).mtimeMs;
    await waitUntil(() => statSync(connect.offsetsFile).mtimeMs > savedMs, {
      what: 'offsets to be saved',
      timeoutMs: 10_000,
    });
    await sleep(1_200);
    await connect.kill();
    await sleep(500);
    await connect.start();
    await sleep(2_000);
    stop.abort();
    expect(await load).toBeGreaterThan(100);
    await pipeline.untilEqual();

    // Debezium sends no markers: that all of a topic is applied tells its end.
    const idle = await daemon.untilStatus('lag to be gone', ({ lagMs }) => lagMs === 0);
    expect(idle.partitions.every(({ lagMs }) => lagMs === 0)).toBe(true);

    const written = await changesIn(`dbz_${pipeline.name}.${pipeline.source.name}.items`);
    const repeated = written.length - new Set(written).size;
    expect(repeated).toBeGreaterThan(2 * AS_YOUNG_AS_THE_NEWEST);
    // A second daemon would count anew: this one counted the changes that it took, the snapshot's perhaps twice.
    const taken = daemon.status?.partitions
      .filter(({ topic }) => topic.endsWith('.items'))
      .reduce((sum, { rows }) => sum + rows, 0);
    expect(taken).toBeLessThanOrEqual(written.length - repeated + AS_YOUNG_AS_THE_NEWEST);
    const context = { env: { ...process.env, ROWFERRY_TEST_RUN_DIR: pipeline.folder } };
    const config = ['--config', pipeline.configFile];
    const status = await runVerb(statusCommand, config, context);
    expect(status.lines.join('\n')).toMatch(/^source +main +2 topics of Debezium$/m);
    expect(status.lines.filter((line) => line.includes('.items/'))).toHaveLength(3);
    expect((await runVerb(positionsCommand, config, context)).lines).toEqual([
      'main  Debezium keeps its positions',
    ]);
    const check = await runVerb(checkCommand, config, context);
    expect(check).toMatchObject({
      exitCode: 0,
      lines: expect.arrayContaining(['ok      topics of Debezium: 2']),
    });
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });

  it('stop at a record that is none of its own, with its place, and are refused when they are compacted', async (t) => {
    const pipeline = await fedPipeline(t, { tables: [itemsTable()] });
    const topic = `dbz_${pipeline.name}.shop.items`;
    const kafka = new kafkajs.Kafka({
      brokers: [...testServers().brokers],
      logLevel: kafkajs.logLevel.NOTHING,
    });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] });
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({
      topic,
      messages: [
        { key: '{"id":1}', value: null },
        { key: '{"id":1}', value: '{"id":1,"secret":"hidden"}' },
      ],
    });
    await producer.disconnect();
    const daemon = pipeline.start();
    const { partitions } = await daemon.untilStatus('the partition to stop', (status) =>
      status.partitions.some(({ state }) => state === 'stopped'),
    );
    expect(partitions[0]?.error).toMatch(
      /ROWFERRY_WIRE_CORRUPT: .*topic \S+\.shop\.items, partition 0, offset 1\]/,
    );
    expect(daemon.log).not.toContain('hidden');

    const compacted = `dbz_${pipeline.name}.shop.compacted`;
    await admin.createTopics({
      topics: [
        { topic: compacted, numPartitions: 1, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] },
      ],
    });
    await admin.disconnect();
    expect((await pipeline.exitOf(daemon)).code).not.toBe(0);
    expect(daemon.log).toContain(`topic ${compacted} is compacted`);
  });

  it.for([
    { how: 'with schemas', writers: WRITERS, worker: {} },
    {
      how: 'without schemas',
      writers: BARE,
      worker: { 'key.converter.schemas.enable': 'false', 'value.converter.schemas.enable': 'false' },
    },
  ])(
    'keep every value of every type, read from the table and from the binlog, $how',
    async ({ writers, worker }, t) => {
      const pipeline = await Pipeline.create(t, {
        tables: [],
        configure: (config) => {
          const { name, routes } = config;
          const [schema = ''] = String(routes[0]?.['from']).split('.');
          config.sources = Object.fromEntries(
            writers.map((writer) => [
              writer.name,
              {
                debezium: {
                  topics: [`/${name}_${writer.name}\\..+\\.kinds/`],
                  ...writer.debezium(`${schema}.kinds`),
                },
              },
            ]),
          );
          config.routes = [{ from: `${schema}.kinds`, to: 'kinds_{source}', targets: ['east', 'west'] }];
        },
      });
      const create = (table: string): string =>
        `CREATE TABLE ${table} (id int NOT NULL PRIMARY KEY, ${COLUMNS.map(({ name, mysql }) => `${name} ${mysql}`).join(', ')})`;
      const inPostgres = COLUMNS.map(({ name, postgresType }) => `${name} ${postgresType}`).join(', ');
      const values = COLUMNS.map(({ literal }) => literal).join(', ');
      await pipeline.write(create('kinds'));
      for (const { name } of writers) {
        await pipeline.meddle('east', create(`kinds_${name}`));
        await pipeline.meddle('west', `CREATE TABLE kinds_${name} (id integer PRIMARY KEY, ${inPostgres})`);
      }
      await pipeline.write(`INSERT INTO kinds VALUES (1, ${values})`);
      await pipeline.write('INSERT INTO kinds (id) VALUES (2)');
      const connect = await debeziumConnect(t, {
        source: pipeline.source,
        partitions: 1,
        worker,
        connectors: Object.fromEntries(
          writers.map(({ name, connector }) => [`${pipeline.name}_${name}`, connector]),
        ),
      });
      const daemon = pipeline.start();
      const arrived = async (what: string, sql: string, count: number): Promise<void> => {
        await waitUntil(
          async () => {
            for (const { name } of writers) {
              for (const target of ['east', 'west']) {
                if ((await pipeline.count(target, sql.replace('kinds', `kinds_${name}`))) !== count)
                  return false;
              }
            }
            return true;
          },
          { what, timeoutMs: 20_000, details: () => daemon.logTail() },
        );
      };
      await connect.start();
      await arrived('the snapshot', 'SELECT COUNT(*) FROM kinds', 2);
      await pipeline.write(`INSERT INTO kinds VALUES (3, ${values})`);
      await pipeline.write('INSERT INTO kinds (id) VALUES (4)');
      await pipeline.write(
        `UPDATE kinds SET ${COLUMNS.map(({ name, literal }) => `${name} = ${literal}`).join(', ')} WHERE id = 2`,
      );
      await arrived('the last change', 'SELECT COUNT(v0) FROM kinds', 3);
      const [east, west] = pipeline.targets;
      for (const { name, loses } of writers) {
        for (const id of [1, 2, 3, 4]) {
          const kept = COLUMNS.filter(
            (column) => loses?.(column) !== true && !(id === 1 && losesInSnapshot(column)),
          );
          const readers = kept.map((column) => mysqlReader(column.type, column.name)).join(', ');
          const texts = kept.map((column) => `${column.name}::text`).join(', ');
          const label = (found: readonly (string | null)[]) =>
            found.map((text, i) => `${kept[i]!.mysql}: ${text}`);
          const where = `WHERE id = ${id}`;
          const row = `row ${id} of ${name}`;
          const atSource = await firstRow(pipeline.source, `SELECT ${readers} FROM kinds ${where}`);
          const atEast = await firstRow(east!, `SELECT ${readers} FROM kinds_${name} ${where}`);
          expect.soft(label(atEast), row).toEqual(label(atSource));
          const atWest = await firstRow(west!, `SELECT ${texts} FROM kinds_${name} ${where}`);
          expect.soft(label(atWest), row).toEqual(label(kept.map(({ shown }) => (id === 4 ? null : shown))));
        }
      }
    },
  );
});

async function firstRow(
  database: Pick<Pipeline['targets'][number], 'pool'>,
  sql: string,
): Promise<(string | null)[]> {
  if ('getConnection' in database.pool) {
    const [rows] = await database.pool.query<RowDataPacket[][]>({ sql, rowsAsArray: true });
    return (rows[0] ?? []) as unknown as (string | null)[];
  }
  const { rows } = await database.pool.query<(string | null)[]>({ text: sql, rowMode: 'array' });
  return rows[0] ?? [];
}
