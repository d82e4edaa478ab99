import { describe, expect, test } from 'vitest';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import type { BinlogEvent } from '../../src/drivers/binlog-event.ts';
import { uniqueName } from '../support/servers.ts';
import {
  connectTo,
  currentPlace,
  eventsOf,
  imagesOf,
  newLink,
  only,
  ownServers,
  readAll,
  rowsOf,
} from './binlog-fixture.ts';

const serverOf = ownServers('stream');

async function newSchema(server: SandboxServer, label: string): Promise<string> {
  const name = uniqueName(label);
  const connection = await connectTo(server);
  await connection.query(`CREATE DATABASE ${name}`);
  await connection.end();
  return name;
}

/** Everything that must be the same on every replay, with the file that it stands in. */
function named(events: readonly BinlogEvent[]): unknown[] {
  let file = '';
  return events.flatMap((event) => {
    if (event.kind === 'rotate') file = event.file;
    if (event.kind === 'rotate' || event.kind === 'heartbeat') return [];
    return [{ file, ...event }];
  });
}

describe.each(['mysql', 'mariadb'] as const)('%s', (flavour) => {
  test('every event has the same name from whatever start it is read', async () => {
    const server = serverOf(flavour);
    const schema = await newSchema(server, 'names');
    const connection = await connectTo(server, schema);
    const before = await currentPlace(server);
    await connection.query(
      `CREATE TABLE a (id int PRIMARY KEY, note varchar(2000)); CREATE TABLE b (id int PRIMARY KEY)`,
    );
    const places = [before];
    for (let round = 0; round < 3; round += 1) {
      const values = Array.from(
        { length: 50 },
        (_, index) => `(${round * 50 + index}, repeat('n', ${index * 30}))`,
      );
      await connection.query(
        `START TRANSACTION;
         INSERT INTO a VALUES ${values.join(', ')};
         INSERT INTO b VALUES (${round});
         UPDATE a, b SET note = 'both', b.id = b.id + 1000 WHERE a.id = b.id;
         COMMIT;
         DELETE FROM a WHERE id % 7 = ${round};
         FLUSH BINARY LOGS;
         INSERT INTO b VALUES (${round + 5000})`,
      );
      places.push(await currentPlace(server));
    }
    const end = await currentPlace(server);
    const wants = (name: string): boolean => name === schema;
    const whole = named(await readAll(newLink(server, { gtid: before.gtid }, { wants }), end));
    expect(whole.filter((event) => (event as BinlogEvent).kind === 'rows').length).toBeGreaterThan(12);
    for (const place of places) {
      for (const start of [{ gtid: place.gtid }, { file: place.file, offset: place.offset }]) {
        // Away from the end of the server's binlog only something new shows that all was read.
        const part = named(await readAll(newLink(server, start, { wants }), end));
        expect(part).toEqual(whole.slice(whole.length - part.length));
        if (place === before) expect(part).toHaveLength(whole.length);
      }
    }
    // The offsets are those that the server itself shows.
    const files = new Set(whole.map((event) => (event as { file: string }).file));
    const ends = new Set<string>();
    for (const file of files) {
      for (const row of await rowsOf(connection, `SHOW BINLOG EVENTS IN '${file}'`)) {
        ends.add(`${file}:${String(row['Pos'])}`).add(`${file}:${String(row['End_log_pos'])}`);
      }
    }
    for (const event of whole as { file: string; end: number }[])
      expect(ends).toContain(`${event.file}:${event.end}`);
    await connection.end();
  });

  test('a transaction is begin, rows and commit under one GTID; DDL stands alone', async () => {
    const server = serverOf(flavour);
    const schema = await newSchema(server, 'transaction');
    const events = await eventsOf(
      server,
      schema,
      `CREATE TABLE t (id int PRIMARY KEY, v int);
       START TRANSACTION; INSERT INTO t VALUES (1, 1); SAVEPOINT s; INSERT INTO t VALUES (2, 2); ROLLBACK TO s;
       INSERT INTO t VALUES (3, 3); COMMIT;
       START TRANSACTION; INSERT INTO t VALUES (4, 4); ROLLBACK;
       UPDATE t SET v = 9 WHERE id = 1;
       TRUNCATE TABLE t;`,
    );
    const told = only(events, 'rotate').length + only(events, 'heartbeat').length;
    expect(events.filter(({ kind }) => kind !== 'rotate' && kind !== 'heartbeat').map(({ kind }) => kind)).toEqual([
      'statement', 'begin', 'rows', 'rows', 'commit', 'begin', 'rows', 'commit', 'statement',
    ]); // prettier-ignore
    expect(told).toBeGreaterThan(0);
    expect(imagesOf(events)).toEqual([[1, 1], [3, 3], [1, 1], [1, 9]]); // prettier-ignore
    const statements = only(events, 'statement');
    expect(statements.map(({ sql }) => sql.trim().split(' ')[0])).toEqual(['CREATE', 'TRUNCATE']);
    expect(
      statements.every(
        ({ standalone, schema: name, gtid }) => standalone && name === schema && gtid !== null,
      ),
    ).toBe(true);
    const begins = only(events, 'begin');
    expect(only(events, 'commit').map(({ gtid }) => gtid)).toEqual(begins.map(({ gtid }) => gtid));
    const tables = new Set(only(events, 'rows').map(({ table }) => table));
    expect(tables.size).toBe(1);
    if (flavour === 'mysql') {
      for (const { commitTimeMs } of begins)
        expect(Math.abs((commitTimeMs ?? 0) - Date.now())).toBeLessThan(60_000);
    }
  });

  test('a changed table is another object with its new columns', async () => {
    const server = serverOf(flavour);
    const schema = await newSchema(server, 'altered');
    const events = await eventsOf(
      server,
      schema,
      `CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 2);
       ALTER TABLE t RENAME COLUMN a TO b, ADD COLUMN c varchar(5) FIRST; INSERT INTO t VALUES ('x', 3, 4);
       RENAME TABLE t TO u; INSERT INTO u VALUES ('y', 5, 6);
       CREATE TABLE k (a int, b int, c int, PRIMARY KEY (c, a)); INSERT INTO k VALUES (1, 2, 3);
       CREATE TABLE n (a int); INSERT INTO n VALUES (1)`,
    );
    const shapes = only(events, 'rows').map(({ table: { name, columns, key } }) => [
      name,
      columns.map((c) => c.name),
      key,
    ]);
    expect(shapes).toEqual([
      ['t', ['id', 'a'], [0]],
      ['t', ['c', 'id', 'b'], [1]],
      ['u', ['c', 'id', 'b'], [1]],
      ['k', ['a', 'b', 'c'], [2, 0]],
      ['n', ['a'], []],
    ]);
  });

  test('statements that were not written as rows are handed on inside their transaction', async () => {
    const server = serverOf(flavour);
    const schema = await newSchema(server, 'statement');
    const events = await eventsOf(
      server,
      schema,
      `CREATE TABLE t (id int PRIMARY KEY, v int) ENGINE=InnoDB; SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
       SET SESSION binlog_format = STATEMENT; INSERT INTO t VALUES (1, 1); SET SESSION binlog_format = ROW;`,
    );
    const [, dml] = only(events, 'statement');
    expect(dml?.sql).toBe('INSERT INTO t VALUES (1, 1)');
    expect(dml?.standalone).toBe(false);
    expect(dml?.gtid).toBe(only(events, 'commit')[0]?.gtid);
    expect(only(events, 'rows')).toEqual([]);
  });

  test('the steps of XA transactions are told apart', async () => {
    const server = serverOf(flavour);
    const schema = await newSchema(server, 'xa');
    const id = `'${schema.slice(0, 30)}'`;
    const events = await eventsOf(
      server,
      schema,
      `CREATE TABLE t (id int PRIMARY KEY);
       XA START ${id}; INSERT INTO t VALUES (1); XA END ${id}; XA PREPARE ${id}; XA COMMIT ${id};
       XA START ${id}; INSERT INTO t VALUES (2); XA END ${id}; XA PREPARE ${id}; XA ROLLBACK ${id};
       INSERT INTO t VALUES (3)`,
    );
    const steps = events.flatMap((event) =>
      event.kind === 'xa' ? [event.step] : event.kind === 'rows' ? ['rows'] : [],
    );
    expect(steps).toEqual([
      'start',
      'rows',
      'prepare',
      'commit',
      'start',
      'rows',
      'prepare',
      'rollback',
      'rows',
    ]);
    expect(new Set(only(events, 'xa').map(({ gtid }) => gtid)).size).toBe(4);
    expect(only(events, 'commit')).toHaveLength(1);
  });

  test('binlogs with and without checksums are read one after the other', async () => {
    const server = serverOf(flavour);
    const schema = await newSchema(server, 'checksum');
    const events = await eventsOf(
      server,
      schema,
      `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);
       SET GLOBAL binlog_checksum = NONE; INSERT INTO t VALUES (2);
       SET GLOBAL binlog_checksum = CRC32; INSERT INTO t VALUES (3);
       SET GLOBAL binlog_checksum = NONE; INSERT INTO t VALUES (4); FLUSH BINARY LOGS; INSERT INTO t VALUES (5);`,
    );
    expect(imagesOf(events)).toEqual([[1], [2], [3], [4], [5]]);
    const more = await eventsOf(
      server,
      schema,
      `INSERT INTO t VALUES (6); SET GLOBAL binlog_checksum = CRC32; INSERT INTO t VALUES (7)`,
    );
    expect(imagesOf(more)).toEqual([[6], [7]]);
  });

  test('a row of more than 16 MB comes whole', async () => {
    const server = serverOf(flavour);
    const schema = await newSchema(server, 'big');
    const events = await eventsOf(
      server,
      schema,
      `CREATE TABLE t (id int PRIMARY KEY, a longtext, b longblob);
       INSERT INTO t VALUES (1, repeat('a', 18000000), repeat(x'00', 17000000)), (2, 'small', 'small')`,
    );
    const [big, small] = imagesOf(events);
    expect(big?.[1]).toBe('a'.repeat(18_000_000));
    expect(big?.[2]).toBe(Buffer.alloc(17_000_000).toString('base64'));
    expect(small).toEqual([2, 'small', Buffer.from('small').toString('base64')]);
  });

  test('a transaction of 200,000 rows is read with little memory', async () => {
    const server = serverOf(flavour);
    const schema = await newSchema(server, 'wide');
    const connection = await connectTo(server, schema);
    const before = await currentPlace(server);
    const digits = `(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)`;
    await connection.query(
      `CREATE TABLE t (id int PRIMARY KEY, note varchar(300));
       INSERT INTO t SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d, repeat('w', 200)
       FROM ${digits} a, ${digits} b, ${digits} c, ${digits} e, ${digits} f, (SELECT 0 d UNION ALL SELECT 1) g`,
    );
    await connection.end();
    const link = newLink(
      server,
      { gtid: before.gtid },
      { wants: (name) => name === schema, queueBytes: 1_000_000 },
    );
    await link.open(AbortSignal.timeout(20_000));
    const seen = new Uint8Array(200_000);
    let [rows, begins, largest, committed] = [0, 0, 0, false];
    try {
      while (!committed) {
        const events = await link.read();
        largest = Math.max(largest, imagesOf(events).length);
        for (const event of events) {
          if (event.kind === 'begin') begins += 1;
          if (event.kind === 'commit') committed = true;
          if (event.kind !== 'rows') continue;
          rows += event.rows.length;
          for (const row of event.rows) seen[Number(row[0])] = 1;
        }
      }
    } finally {
      await link.close();
    }
    expect({ rows, begins, distinct: seen.reduce((sum, one) => sum + one, 0) }).toEqual({
      rows: 200_000,
      begins: 1,
      distinct: 200_000,
    });
    // What one call answers is bounded, so the whole never is in memory.
    expect(largest).toBeLessThan(5_000);
  });

  test('tables keep their names when a restarted server gives their ids anew', async () => {
    const server = serverOf(flavour);
    const schema = await newSchema(server, 'restarted');
    const connection = await connectTo(server, schema);
    const before = await currentPlace(server);
    const names = ['one', 'two', 'three', 'four'];
    await connection.query(names.map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY, a int)`).join(';'));
    for (const name of names) await connection.query(`INSERT INTO ${name} VALUES (1, 1)`);
    await connection.end();
    await server.restart();
    const again = await connectTo(server, schema);
    for (const name of names.toReversed()) await again.query(`INSERT INTO ${name} VALUES (2, 2)`);
    await again.end();
    const link = newLink(server, { gtid: before.gtid }, { wants: (name) => name === schema });
    const events = await readAll(link, await currentPlace(server));
    expect(only(events, 'rows').map(({ table, rows }) => `${table.name}${String(rows[0]?.[0])}`)).toEqual([
      'one1', 'two1', 'three1', 'four1', 'four2', 'three2', 'two2', 'one2',
    ]); // prettier-ignore
  }, 60_000);
});

test('transactions with tagged GTIDs are read', async () => {
  const server = serverOf('mysql');
  const schema = await newSchema(server, 'tagged');
  const events = await eventsOf(
    server,
    schema,
    `CREATE TABLE t (id int PRIMARY KEY); SET gtid_next = 'AUTOMATIC:ferry_1'; INSERT INTO t VALUES (1);
     SET gtid_next = 'AUTOMATIC'; INSERT INTO t VALUES (2)`,
  );
  const [tagged, plain] = only(events, 'begin');
  expect(tagged?.gtid).toMatch(/^[0-9a-f-]{36}:ferry_1:\d+$/);
  expect(Math.abs((tagged?.commitTimeMs ?? 0) - Date.now())).toBeLessThan(60_000);
  expect(plain?.gtid).toMatch(/^[0-9a-f-]{36}:\d+$/);
  // A start behind both takes the tag along.
  const place = await currentPlace(server);
  expect(place.gtid).toContain('ferry_1');
  const more = await eventsOf(server, schema, 'INSERT INTO t VALUES (3)');
  expect(imagesOf(more)).toEqual([[3]]);
});

test("MariaDB's compressed events are read", async () => {
  const server = serverOf('mariadb');
  const schema = await newSchema(server, 'compressed');
  const connection = await connectTo(server, schema);
  await connection.query('SET GLOBAL log_bin_compress = ON, GLOBAL log_bin_compress_min_len = 10');
  const text = 'compress me '.repeat(100);
  const events = await eventsOf(
    server,
    schema,
    `CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (1, '${text}'), (2, '${text}');
     UPDATE t SET note = repeat('u', 500); DELETE FROM t WHERE id = 1`,
  );
  await connection.query('SET GLOBAL log_bin_compress = OFF');
  await connection.end();
  expect(only(events, 'statement')[0]?.sql).toContain('CREATE TABLE t');
  expect(only(events, 'rows').map(({ op, rows }) => [op, rows.length])).toEqual([
    ['insert', 2],
    ['update', 4],
    ['delete', 1],
  ]);
  expect(imagesOf(events).at(-1)).toEqual([1, 'u'.repeat(500)]);
});
