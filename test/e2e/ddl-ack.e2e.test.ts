import { execFile } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { PROGRAM } from '../../scripts/lib/daemon.ts';
import type { Daemon } from '../../scripts/lib/daemon.ts';
import type { DaemonView } from '../../scripts/lib/daemon-status.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

const STOPPED_ON_DATA = 4;
const WRONG_REQUEST = 2;

interface Answer {
  readonly code: number;
  readonly text: string;
}

async function rowferry(pipeline: Pipeline, ...args: readonly string[]): Promise<Answer> {
  const all = [PROGRAM, ...args, '--config', pipeline.configFile];
  const env = { ...process.env, ROWFERRY_TEST_RUN_DIR: pipeline.folder };
  return await new Promise((resolve) => {
    execFile(process.execPath, all, { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, text: stdout + stderr }),
    );
  });
}

const acknowledge = async (pipeline: Pipeline, place: string, ...more: readonly string[]): Promise<Answer> =>
  await rowferry(pipeline, 'ddl', 'ack', '--source', 'main', '--at', place, ...more);

/** The place of the statement by which a table is held, other than `former`. */
async function untilHeld(daemon: Daemon, former = ''): Promise<string> {
  const heldOf = ({ captures }: DaemonView) =>
    captures.flatMap(({ held }) => held).find(({ statement }) => statement !== former)?.statement;
  const status = await daemon.untilStatus('a table to be held', (found) => heldOf(found) !== undefined);
  return heldOf(status) ?? '';
}

async function untilFlowing(daemon: Daemon): Promise<void> {
  await daemon.untilStatus('all tables to flow', ({ captures }) =>
    captures.every(({ held, catchesUp, state }) => held.length === 0 && !catchesUp && state === 'reading'),
  );
}

describe('rowferry ddl ack', () => {
  it('is refused while a route names a column that the table has lost, and tells what waits instead of a wrong place', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'before')");
    await pipeline.untilEqual();
    await pipeline.write('ALTER TABLE items RENAME COLUMN owner TO keeper');
    const place = await untilHeld(daemon);

    const refused = await acknowledge(pipeline, place);
    expect(refused.text).toContain('owner');
    expect(refused.text).toContain('rows that follow the statement would stop the appliers');
    expect(refused.code).toBe(STOPPED_ON_DATA);
    const wrong = await acknowledge(pipeline, 'binlog.000001:4');
    expect(wrong.text).toContain(`${pipeline.source.name}.items waits since ${place}`);
    expect(wrong.code).toBe(WRONG_REQUEST);

    await pipeline.write('ALTER TABLE items RENAME COLUMN keeper TO owner');
    expect(await acknowledge(pipeline, place)).toMatchObject({ code: 0 });
    const next = await untilHeld(daemon, place);
    expect(await acknowledge(pipeline, next)).toMatchObject({ code: 0 });
    await untilFlowing(daemon);
    expect(daemon.log.match(/"audit":\{[^}]*"action":"ddl\/ack","who":"[^"]+@[^"]+"/g)).toHaveLength(2);
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (2, 1, 'after')");
    await pipeline.untilEqual();
  });

  it('is refused behind a rename while a target has the column of before, which its rows would lose their values in', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'one'), (2, 1, 'two')");
    await pipeline.untilEqual();
    await pipeline.write('ALTER TABLE items RENAME COLUMN code TO label');
    const place = await untilHeld(daemon);
    const rename = async (target: string): Promise<void> =>
      await pipeline.meddle(target, 'ALTER TABLE items RENAME COLUMN code TO label');

    // As `schema plan` and `apply` make it.
    await pipeline.meddle('east', 'ALTER TABLE items ADD COLUMN label VARCHAR(40) NULL');
    await rename('west');
    const refused = await acknowledge(pipeline, place);
    expect(refused.text).toMatch(/items at east: code(?!,)/);
    expect(refused.text).not.toContain('at west');
    expect(refused.code).toBe(STOPPED_ON_DATA);

    await pipeline.meddle('east', 'ALTER TABLE items DROP COLUMN label');
    await rename('east');
    expect(await acknowledge(pipeline, place)).toMatchObject({ code: 0 });
    await untilFlowing(daemon);
    await pipeline.write("INSERT INTO items (id, owner, label) VALUES (3, 0, 'three'), (4, 1, 'four')");
    await pipeline.untilEqual();

    // Rows of before would come by the old name: nothing is replayed unless an operator says so.
    const before = ['replay', '--from', place.replace(/:.*/, ':4')];
    const warned = await rowferry(pipeline, ...before);
    expect(warned.text).toContain(`items: ALTER TABLE renames a column, at ${place}`);
    expect(warned.code).toBe(STOPPED_ON_DATA);
    expect((await rowferry(pipeline, 'positions')).text).not.toContain('epoch 3');
    expect((await rowferry(pipeline, ...before, '--force')).text).toContain('is read again from');
  });

  it('lets a capture go on that stopped altogether; the last line said which part stopped, why, and how to go on', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'before')");
    await pipeline.untilEqual();
    const connection = await pipeline.source.pool.getConnection();
    await connection.query("SET SESSION binlog_format = 'STATEMENT'");
    await connection.query("UPDATE items SET code = 'before' WHERE id = 1");
    connection.destroy();
    expect(await pipeline.exitOf(daemon)).toEqual({ code: STOPPED_ON_DATA, signal: null });
    const last = daemon.log.trimEnd().split('\n').at(-1) ?? '';
    expect(last).toMatch(/^ROWFERRY_SOURCE_UNSUPPORTED: capture main stopped: UPDATE .*items \[/);
    const [, place = '', more = ''] = /rowferry ddl ack --source main --at (\S+) (--ahead)$/.exec(last) ?? [];
    expect(await acknowledge(pipeline, place)).toMatchObject({ code: WRONG_REQUEST });
    expect(await acknowledge(pipeline, place, more)).toMatchObject({ code: 0 });
    await pipeline.startRunning();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (2, 1, 'after')");
    await pipeline.untilEqual();
  });

  it('is seen in the status until the targets have what precedes the statement, with what they lack', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const capture = await pipeline.startRunning({ role: 'capture' });
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'before')");
    await pipeline.write('ALTER TABLE items MODIFY code VARCHAR(30) NULL');
    const place = await untilHeld(capture);
    const checked = await rowferry(pipeline, 'check');
    expect(checked.code).toBe(WRONG_REQUEST);
    expect(checked.text).toMatch(/^FAILED +source main: \S+\.items is held: /m);
    expect(checked.text).toContain(`rowferry ddl ack --source main --at ${place}`);
    expect(checked.text).not.toContain('ready to run');
    expect(await acknowledge(pipeline, place)).toMatchObject({ code: 0 });
    const { text } = await rowferry(pipeline, 'status');
    expect(text).toMatch(/acknowledged at \S+ by \S+, waits/);
    // Nobody has applied anything: no reason to let rows of the new shape pass those of the old one.
    await capture.untilStatus('the wait to be told', ({ captures }) =>
      captures.some(({ held }) => held[0]?.waits?.includes('no applier of this pipeline') === true),
    );
    const applier = await pipeline.startRunning({ role: 'apply' });
    await untilFlowing(capture);
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (2, 1, 'after')");
    await pipeline.untilEqual();
    await applier.stop();
  });
});
