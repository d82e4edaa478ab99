import { describe, expect, test } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import { preflightSource } from '../../src/capture/preflight.ts';
import type { SourceFacts } from '../../src/capture/start-position.ts';
import { firstPosition, positionOnServer } from '../../src/capture/start-position.ts';
import type { BinlogLink } from '../../src/drivers/binlog.ts';
import type { BinlogEvent } from '../../src/drivers/binlog-event.ts';
import { RowferryError } from '../../src/errors.ts';
import { GtidSet } from '../../src/model/gtid-set.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { uniqueName } from '../support/servers.ts';
import {
  connectTo,
  currentPlace,
  imagesOf,
  newLink,
  ownServers,
  readAll,
  readOpenUntil,
  rowsOf,
  standsAt,
} from './binlog-fixture.ts';

const serverOf = ownServers('link');

/** Reads until the link rejects and answers what with; the events go to `seen`. */
async function endOf(link: BinlogLink, seen: BinlogEvent[] = []): Promise<RowferryError> {
  try {
    for (;;) seen.push(...(await link.read()));
  } catch (error) {
    if (error instanceof RowferryError) return error;
    throw error;
  } finally {
    await link.close();
  }
}

async function openError(link: BinlogLink): Promise<RowferryError> {
  try {
    await link.open(AbortSignal.timeout(20_000));
  } catch (error) {
    if (error instanceof RowferryError) return error;
    throw error;
  }
  // Some servers say no only after the first event.
  return await endOf(link);
}

async function run(server: SandboxServer, statements: string): Promise<void> {
  const connection = await connectTo(server);
  try {
    await connection.query(statements);
  } finally {
    await connection.end();
  }
}

describe.each(['mysql', 'mariadb'] as const)('%s', (flavour) => {
  test('an idle link hears that the source lives', async () => {
    const server = serverOf(flavour);
    const place = await currentPlace(server);
    const link = newLink(server, { gtid: place.gtid });
    const events = await readAll(link, place);
    expect(events.at(-1)).toEqual({ kind: 'heartbeat', file: place.file, offset: place.offset });
    expect(link.stats.events).toBeGreaterThan(1);
  });

  test('a half-open link is given up after the silence that was set', async () => {
    const server = serverOf(flavour);
    const proxy = await FaultProxy.start(server);
    try {
      const place = await currentPlace(server);
      const link = newLink(
        server,
        { gtid: place.gtid },
        { host: proxy.host, port: proxy.port, silenceMs: 1_000 },
      );
      await link.open(AbortSignal.timeout(10_000));
      await link.read();
      proxy.faults.blackHole = true;
      const since = performance.now();
      const error = await endOf(link);
      expect(error.code).toBe('ROWFERRY_SOURCE_LINK');
      expect(error.message).toMatch(/silent for \d+ ms/);
      expect(performance.now() - since).toBeLessThan(6_000);
    } finally {
      await proxy.close();
    }
  });

  test('a source that does not answer at all is given up as well', async () => {
    const proxy = await FaultProxy.start(serverOf(flavour));
    try {
      proxy.faults.blackHole = true;
      const link = newLink(
        serverOf(flavour),
        { gtid: '' },
        { host: proxy.host, port: proxy.port, silenceMs: 500 },
      );
      expect((await openError(link)).code).toBe('ROWFERRY_SOURCE_LINK');
    } finally {
      await proxy.close();
    }
  });

  test('a cut link ends with what was read before it', async () => {
    const server = serverOf(flavour);
    const proxy = await FaultProxy.start(server);
    try {
      const place = await currentPlace(server);
      const link = newLink(server, { gtid: place.gtid }, { host: proxy.host, port: proxy.port });
      await link.open(AbortSignal.timeout(10_000));
      await link.read();
      proxy.cut();
      expect((await endOf(link)).code).toBe('ROWFERRY_SOURCE_LINK');
    } finally {
      await proxy.close();
    }
  });

  test('a server that goes down ends the link', async () => {
    const server = serverOf(flavour);
    const link = newLink(server, { gtid: (await currentPlace(server)).gtid });
    await link.open(AbortSignal.timeout(10_000));
    const ended = endOf(link);
    await server.restart();
    expect((await ended).code).toBe('ROWFERRY_SOURCE_LINK');
  }, 60_000);

  test('a reader that holds back for longer than net_write_timeout loses nothing', async () => {
    const server = serverOf(flavour);
    const schema = uniqueName('held');
    const before = await currentPlace(server);
    await run(server, `SET GLOBAL net_write_timeout = 2`);
    const connection = await connectTo(server);
    const digits = '(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4)';
    await connection.query(
      `CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id int PRIMARY KEY AUTO_INCREMENT, a longtext)`,
    );
    for (let round = 0; round < 8; round += 1) {
      await connection.query(
        `INSERT INTO ${schema}.t (a) SELECT repeat('h', 50000) FROM ${digits} a, ${digits} b, ${digits} c`,
      );
    }
    const proxy = await FaultProxy.start(server);
    try {
      const link = newLink(
        server,
        { gtid: before.gtid },
        {
          host: proxy.host,
          port: proxy.port,
          queueBytes: 200_000,
          silenceMs: 1_500,
          wants: (name) => name === schema,
        },
      );
      await link.open(AbortSignal.timeout(10_000));
      await waitUntil(() => link.pausedMs > 5_000, {
        what: 'the link to be held back for 5 s',
        timeoutMs: 20_000,
      });
      // Only the queue and one chunk of the socket came, of 50 MB.
      expect(link.stats.bytes).toBeLessThan(600_000);
      const events = await readOpenUntil(link, standsAt(await currentPlace(server)));
      expect(
        imagesOf(events)
          .map((row) => Number(row[0]))
          .toSorted((a, b) => a - b),
      ).toHaveLength(1000);
      expect(link.pausedMs).toBe(0);
    } finally {
      await proxy.close();
      await run(server, 'SET GLOBAL net_write_timeout = DEFAULT');
      await connection.end();
    }
  }, 60_000);

  test('a link whose server id another reader takes ends for good', async () => {
    const server = serverOf(flavour);
    const { gtid } = await currentPlace(server);
    const first = newLink(server, { gtid }, { serverId: 4_000_001 });
    await first.open(AbortSignal.timeout(10_000));
    await first.read();
    const ended = endOf(first);
    const second = newLink(server, { gtid }, { serverId: 4_000_001 });
    await second.open(AbortSignal.timeout(10_000));
    const error = await ended;
    expect(error.code).toBe('ROWFERRY_SOURCE_SERVER_ID_TAKEN');
    await expect(second.read()).resolves.not.toEqual([]);
    await second.close();
  });

  test('a purged position is lost, and the error names the oldest binlog', async () => {
    const server = serverOf(flavour);
    const schema = uniqueName('purged');
    const old = await currentPlace(server);
    await run(
      server,
      `CREATE DATABASE ${schema}; FLUSH BINARY LOGS; CREATE TABLE ${schema}.t (id int PRIMARY KEY); FLUSH BINARY LOGS`,
    );
    const kept = await currentPlace(server);
    await run(server, `PURGE BINARY LOGS TO '${kept.file}'`);
    for (const start of [{ gtid: old.gtid }, { file: old.file, offset: old.offset }]) {
      const error = await openError(newLink(server, start));
      expect(error.describe()).toContain(kept.file);
      expect(error.code).toBe('ROWFERRY_SOURCE_POSITION_LOST');
      expect(error.where.position).toBe('gtid' in start ? `gtid ${start.gtid}` : `${old.file}:${old.offset}`);
    }
  });

  test('a position that the source never reached is lost', async () => {
    const server = serverOf(flavour);
    const { gtid, file } = await currentPlace(server);
    const ahead =
      flavour === 'mysql'
        ? gtid.replace(/-(\d+)$/, (_, last) => `-${Number(last) + 1000}`)
        : gtid.replace(/\d+$/, '99999999');
    expect((await openError(newLink(server, { gtid: ahead }))).code).toBe('ROWFERRY_SOURCE_POSITION_LOST');
    expect((await openError(newLink(server, { file, offset: 900_000_000 }))).code).toBe(
      'ROWFERRY_SOURCE_POSITION_LOST',
    );
    expect((await openError(newLink(server, { file: 'binlog.999999', offset: 4 }))).code).toBe(
      'ROWFERRY_SOURCE_POSITION_LOST',
    );
  });

  test('a wrong password and a missing grant are told as such', async () => {
    const server = serverOf(flavour);
    const { gtid } = await currentPlace(server);
    const user = uniqueName('grant').slice(0, 30);
    await run(server, `CREATE USER ${user}@'%' IDENTIFIED BY 'some-secret'`);
    const wrong = await openError(newLink(server, { gtid }, { password: 'not it' }));
    expect(wrong.code).toBe('ROWFERRY_SOURCE_ACCESS');
    const denied = await openError(newLink(server, { gtid }, { user, password: 'some-secret' }));
    expect(denied.code).toBe('ROWFERRY_SOURCE_ACCESS');
    for (const error of [wrong, denied])
      expect(JSON.stringify([error.describe(), error])).not.toMatch(/not it|some-secret/);
  });

  test('closing wakes a waiting reader and frees the server id at once', async () => {
    const server = serverOf(flavour);
    const { gtid } = await currentPlace(server);
    const link = newLink(server, { gtid }, { heartbeatMs: 60_000 });
    await link.open(AbortSignal.timeout(10_000));
    await link.read();
    const ended = endOf(link);
    await link.close();
    expect((await ended).message).toMatch(/closed/);
    await link.close();
    const connection = await connectTo(server);
    await waitUntil(
      async () => {
        const processes = await rowsOf(connection, 'SHOW PROCESSLIST');
        return !processes.some((process) => String(process['Command']).startsWith('Binlog Dump'));
      },
      { what: 'the dump thread to be gone' },
    );
    await connection.end();
  });

  test('opening can be given up', async () => {
    const proxy = await FaultProxy.start(serverOf(flavour));
    try {
      proxy.faults.blackHole = true;
      const link = newLink(serverOf(flavour), { gtid: '' }, { host: proxy.host, port: proxy.port });
      const abort = new AbortController();
      const opening = link.open(abort.signal);
      await waitUntil(() => proxy.linkCount > 0, { what: 'a connection' });
      abort.abort(new Error('given up'));
      await expect(opening).rejects.toThrow('given up');
    } finally {
      await proxy.close();
    }
  });
});

test('a link that is held back does not count as broken', async () => {
  const server = serverOf('mysql');
  const schema = uniqueName('idle');
  const before = await currentPlace(server);
  await run(
    server,
    `CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id int PRIMARY KEY, a longtext); INSERT INTO ${schema}.t VALUES (1, repeat('i', 500000)), (2, 'i')`,
  );
  const link = newLink(server, { gtid: before.gtid }, { queueBytes: 1_000, silenceMs: 500 });
  await link.open(AbortSignal.timeout(10_000));
  await waitUntil(() => link.pausedMs > 1_500, { what: 'thrice the silence' });
  expect(
    imagesOf(await readOpenUntil(link, standsAt(await currentPlace(server)))).map((row) => row[0]),
  ).toEqual([1, 2]);
});

/**
 * The order of events: a transaction is written to the binlog; its commit waits for the disk; capture asks where the binlog ends
 * and what was executed; the transaction is committed. It lies before the one and is missing from the other, and comes.
 */
test('a commit that goes on while capture looks where to start comes, and not from before the start', async () => {
  const server = serverOf('mysql');
  const look = await connectTo(server);
  const writer = await connectTo(server);
  try {
    await writer.query('CREATE DATABASE slow; CREATE TABLE slow.t (id int PRIMARY KEY)');
    const before = await currentPlace(server);
    await look.query('SET GLOBAL binlog_group_commit_sync_delay = 1000000');
    const committed = writer.query('INSERT INTO slow.t VALUES (1)');
    const facts = await waitUntil(
      async () => {
        const found = await factsOf(look);
        return found.current.offset > before.offset ? found : undefined;
      },
      { what: 'the transaction to be written' },
    );
    expect(facts.gtid, 'the look came too late').toBe(before.gtid);
    const start = firstPosition('main', { kind: 'now' }, facts);
    await committed;
    const events = await readAll(newLink(server, { gtid: start.gtid ?? '' }), await currentPlace(server));
    expect(imagesOf(events)).toEqual([[1]]);
    for (const event of events) if ('end' in event) expect(event.end).toBeGreaterThan(start.offset);
  } finally {
    await look.query('SET GLOBAL binlog_group_commit_sync_delay = 0');
    await Promise.all([look.end(), writer.end()]);
  }
});

/**
 * The order of events: a transaction comes through the binlog and is saved as ferried; its commit still waits, for a
 * semi-synchronous replica or for the disk; the link breaks, and capture looks what the source has executed.
 */
test('a source whose commit goes on lacks nothing that was ferried', async () => {
  const server = serverOf('mysql');
  const [look, writer] = await Promise.all([connectTo(server), connectTo(server)]);
  try {
    await writer.query('CREATE DATABASE waits; CREATE TABLE waits.t (id int PRIMARY KEY)');
    const before = await currentPlace(server);
    // Sent before the wait, which stands for that of a replica's answer.
    await look.query('SET GLOBAL sync_binlog = 0, GLOBAL binlog_group_commit_sync_delay = 1000000');
    const link = newLink(server, { gtid: before.gtid });
    await link.open(AbortSignal.timeout(20_000));
    const committed = writer.query('INSERT INTO waits.t VALUES (1)');
    const seen = await readOpenUntil(link, ({ kind }) => kind === 'commit');
    const [end] = seen.filter((event) => event.kind === 'commit');
    const facts = await factsOf(look);
    expect(facts.gtid, 'the look came too late').toBe(before.gtid);
    const gtid = GtidSet.parse(before.gtid).union(GtidSet.parse(end?.gtid ?? ''));
    const saved = { server: facts.server, file: before.file, offset: end?.end ?? 0, gtid: gtid.toString() };
    expect(positionOnServer('main', saved, facts)).toEqual({ position: saved, sameServer: true });
    await committed;
  } finally {
    await look.query('SET GLOBAL sync_binlog = 1, GLOBAL binlog_group_commit_sync_delay = 0');
    await Promise.all([look.end(), writer.end()]);
  }
});

async function factsOf(connection: Awaited<ReturnType<typeof connectTo>>): Promise<SourceFacts> {
  const wanted = { name: 'main', serverId: 4711, tables: ['*.t'], keys: {}, copies: false };
  return (await preflightSource(async (sql) => await rowsOf(connection, sql), wanted)).facts;
}
