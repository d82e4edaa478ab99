import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { PROGRAM } from '../../scripts/lib/daemon.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

const STOPPED_ON_DATA = 4;

describe('a statement that changes a captured table', () => {
  it('stops capture with its place and the way on; an acknowledged one is passed', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'before'), (2, 1, 'before')");
    await pipeline.write('ALTER TABLE items ADD COLUMN extra INT NULL');
    await pipeline.write("INSERT INTO items (id, owner, code, extra) VALUES (3, 0, 'after', 7)");
    expect(await pipeline.exitOf(daemon)).toEqual({ code: STOPPED_ON_DATA, signal: null });
    const { name } = pipeline.source;
    const [, place] = /rowferry ddl ack --source main --at (\S+\.\d+:\d+)/.exec(pipeline.logs) ?? [];
    expect(pipeline.logs).toContain(
      `ROWFERRY_SOURCE_DDL: ALTER TABLE changes ${name}.items [source main, position ${place}]`,
    );

    const again = pipeline.start();
    expect((await pipeline.exitOf(again)).code).toBe(STOPPED_ON_DATA);
    expect(await pipeline.count('east', 'SELECT COUNT(*) FROM items')).toBe(1);

    for (const { target } of pipeline.targets) {
      await pipeline.meddle(target, 'ALTER TABLE items ADD COLUMN extra INTEGER NULL');
    }
    const acknowledge = [
      'ddl',
      'ack',
      '--config',
      pipeline.configFile,
      '--source',
      'main',
      '--at',
      place ?? '',
    ];
    await promisify(execFile)(process.execPath, [PROGRAM, ...acknowledge], {
      env: { ...process.env, ROWFERRY_TEST_RUN_DIR: pipeline.folder },
    });
    await pipeline.startRunning();
    await pipeline.untilEqual();
  });

  it.for(['TRUNCATE TABLE items', 'DROP TABLE items'])('%s stops it as well', async (statement, t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    await pipeline.write(statement);
    expect((await pipeline.exitOf(daemon)).code).toBe(STOPPED_ON_DATA);
    expect(pipeline.logs).toContain('ROWFERRY_SOURCE_DDL');
  });

  it('is passed over when the table is not captured', async (t) => {
    const pipeline = await Pipeline.create(t, {
      tables: [itemsTable()],
      configure: ({ sources }) => {
        const main = sources['main'] ?? {};
        main['tables'] = [...(main['tables'] as string[]), '!*.scratch'];
      },
    });
    await pipeline.startRunning();
    await pipeline.write('CREATE TABLE scratch (id INT PRIMARY KEY)');
    await pipeline.write('ALTER TABLE scratch ADD COLUMN x INT');
    await pipeline.write('DROP TABLE scratch');
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'after')");
    await pipeline.untilEqual();
  });
});
