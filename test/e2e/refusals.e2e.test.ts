import { describe, expect, it } from 'vitest';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

const WRONG_CONFIG = 2;
const LOST = 3;

describe('a daemon refuses', () => {
  it('to go on when the source has purged the position that it needs', async (t) => {
    const sandbox = await startSandbox({ ownServers: true, mysql: ['purged'] });
    t.onTestFinished(async () => await sandbox.stop());
    const [source] = sandbox.mysql;
    if (source === undefined) throw new Error('there is no source');
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()], source });
    const daemon = await pipeline.startRunning();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'seen')");
    await pipeline.untilEqual();
    await daemon.stop();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (2, 0, 'missed')");
    await pipeline.write('FLUSH BINARY LOGS');
    const [rows] = await pipeline.source.pool.query('SHOW BINARY LOGS');
    const newest = (rows as { Log_name: string }[]).at(-1)?.Log_name ?? '';
    await pipeline.write(`PURGE BINARY LOGS TO '${newest}'`);
    const late = pipeline.start();
    expect(await pipeline.exitOf(late)).toEqual({ code: LOST, signal: null });
    expect(late.log).toContain('ROWFERRY_SOURCE_POSITION_LOST');
    expect(late.log).toContain(newest);
  });

  it('to share its server id with another replica', async (t) => {
    const serverId = 4_000_000 + (process.pid % 100_000);
    const configure = ({ sources }: { sources: Record<string, Record<string, unknown>> }): void => {
      const main = sources['main'];
      if (main !== undefined) main['serverId'] = serverId;
    };
    const one = await Pipeline.create(t, { tables: [itemsTable()], configure });
    const two = await Pipeline.create(t, { tables: [itemsTable()], configure });
    const first = await one.startRunning();
    const second = two.start();
    const loser = await Promise.race([first.exited, second.exited]);
    expect(loser).toEqual({ code: WRONG_CONFIG, signal: null });
    expect(one.logs + two.logs).toContain('ROWFERRY_SOURCE_SERVER_ID_TAKEN');
  });

  it('a topic with another number of partitions', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()], partitions: 3 });
    const daemon = await pipeline.startRunning();
    await daemon.stop();
    pipeline.reconfigure('"partitions": 3', '"partitions": 5');
    const changed = pipeline.start();
    expect(await pipeline.exitOf(changed)).toEqual({ code: WRONG_CONFIG, signal: null });
    expect(changed.log).toContain('ROWFERRY_KAFKA_PARTITIONS');
  });

  it('routes that were changed under it', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    await daemon.stop();
    pipeline.reconfigure('"by": "owner"', '"by": "n"');
    const changed = pipeline.start();
    expect(await pipeline.exitOf(changed)).toEqual({ code: WRONG_CONFIG, signal: null });
    expect(changed.log).toContain('ROWFERRY_CONFIG_STATE_MISMATCH');
  });

  it('routes that do not fit without taking the source from a daemon that works', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const working = await pipeline.startRunning();
    pipeline.reconfigure('"by": "owner"', '"by": "n"');
    const changed = pipeline.start();
    expect(await pipeline.exitOf(changed)).toEqual({ code: WRONG_CONFIG, signal: null });
    expect(changed.log).not.toContain('"role":"capture"');
    expect(changed.log).toMatch(/^ROWFERRY_CONFIG_STATE_MISMATCH: apply stopped: [^{]* -> [^{]*$/m);
    expect(working.log).not.toContain('superseded');
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'goes on')");
    await pipeline.untilEqual();
  });

  it('a target with a wrong password, and names it, while another one is waited for', async (t) => {
    const pipeline = await Pipeline.create(t, {
      tables: [itemsTable()],
      configure: ({ targets }) => {
        const [east, west] = ['east', 'west'].map((name) => new URL(String(targets[name]?.['url'])));
        east!.port = '1';
        west!.password = 'wrong';
        targets['east'] = { url: east!.href };
        targets['west'] = { url: west!.href };
      },
    });
    const daemon = pipeline.start();
    expect(await pipeline.exitOf(daemon)).toEqual({ code: WRONG_CONFIG, signal: null });
    expect(daemon.log).toMatch(/ROWFERRY_TARGET_ACCESS[^\n]*target west/);
    expect(daemon.log).not.toContain('are closed');
  });

  it('a target without the table that a route names', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    await pipeline.meddle('west', 'DROP TABLE items');
    const daemon = pipeline.start();
    expect(await pipeline.exitOf(daemon)).toEqual({ code: WRONG_CONFIG, signal: null });
    expect(daemon.log).toContain('target west has no table items');
  });

  it.for([
    [
      'to begin its change topic anew when it was deleted, and to count the gap as caught up',
      '',
      'ROWFERRY_KAFKA_TOPIC_GONE',
    ],
    [
      'to start afresh when its checkpoints were deleted',
      '.checkpoints',
      'no position of this source is saved',
    ],
  ] as const)('%s', async ([, suffix, refusal], t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'seen')");
    await pipeline.untilEqual();
    await daemon.stop();
    await pipeline.deleteTopics([`${pipeline.topic}${suffix}`]);
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (2, 0, 'missed')");
    const late = pipeline.start();
    expect(await pipeline.exitOf(late)).toEqual({ code: LOST, signal: null });
    expect(late.log).toContain(refusal);
  });

  it('a source whose binlogs were reset under the same server id and GTIDs', async (t) => {
    const sandbox = await startSandbox({ ownServers: true, mysql: ['reset'] });
    t.onTestFinished(async () => await sandbox.stop());
    const [source] = sandbox.mysql;
    if (source === undefined) throw new Error('there is no source');
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()], source });
    const daemon = await pipeline.startRunning();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'seen')");
    await pipeline.untilEqual();
    await daemon.stop();
    const [rows] = await pipeline.source.pool.query('SELECT @@global.gtid_executed AS gtids');
    const gtids = (rows as { gtids: string }[])[0]?.gtids ?? '';
    await pipeline.write('RESET BINARY LOGS AND GTIDS');
    await pipeline.write(`SET GLOBAL gtid_purged='${gtids.replaceAll('\n', '')}'`);
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (2, 0, 'missed')");
    const late = pipeline.start();
    expect(await pipeline.exitOf(late)).toEqual({ code: LOST, signal: null });
    expect(late.log).toContain('its binlogs were reset');
  });
});
