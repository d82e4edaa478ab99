import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Daemon } from '../../scripts/lib/daemon.ts';
import { PROGRAM } from '../../scripts/lib/daemon.ts';
import { Pipeline } from '../support/pipeline.ts';
import type { PipelineTable } from '../support/pipeline-tables.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

const GOODS: PipelineTable = {
  ...itemsTable(),
  name: 'goods',
  mysql: itemsTable().mysql.replace('TABLE items', 'TABLE goods'),
  postgres: itemsTable().postgres.replace('TABLE items', 'TABLE goods'),
};

async function acknowledge(pipeline: Pipeline): Promise<void> {
  const [, place = ''] = /rowferry ddl ack --source main --at (\S+\.\d+:\d+)/.exec(pipeline.logs) ?? [];
  const args = ['ddl', 'ack', '--config', pipeline.configFile, '--source', 'main', '--at', place];
  await promisify(execFile)(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, ROWFERRY_TEST_RUN_DIR: pipeline.folder },
  });
}

async function untilHeld(daemon: Daemon, table: string): Promise<void> {
  await daemon.untilStatus(`${table} to be held`, ({ captures }) =>
    captures.some(({ held }) => held.some((entry) => entry.table === table)),
  );
}

describe('a statement that changes a captured table', () => {
  it('stops that table alone; once acknowledged it goes on from there, and misses nothing', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable(), GOODS] });
    const { name } = pipeline.source;
    const first = await pipeline.startRunning();
    const write = async (id: number): Promise<void> => {
      await pipeline.write(`INSERT INTO items (id, owner, code) VALUES (${id}, 0, 'a'), (${id + 1}, 1, 'b')`);
      await pipeline.write(`INSERT INTO goods (id, owner, code) VALUES (${id}, 0, 'a'), (${id + 1}, 1, 'b')`);
      await pipeline.write(`UPDATE items SET code = 'c', owner = 1 - owner WHERE id = ${id - 9}`);
      await pipeline.write(`UPDATE goods SET code = 'c', owner = 1 - owner WHERE id = ${id - 9}`);
      await pipeline.write(`DELETE FROM items WHERE id = ${id - 10}`);
      await pipeline.write(`UPDATE items SET id = ${id + 2} WHERE id = ${id + 1}`);
    };
    await write(10);
    await pipeline.untilEqual();

    await pipeline.write('ALTER TABLE items DROP COLUMN n');
    await write(20);
    await untilHeld(first, `${name}.items`);
    await pipeline.untilCaughtUp();
    expect(await pipeline.count('east', 'SELECT COUNT(*) FROM items WHERE id >= 20')).toBe(0);
    expect(await pipeline.count('east', 'SELECT COUNT(*) FROM goods WHERE id >= 20')).toBe(1);

    await first.kill();
    const second = await pipeline.startRunning();
    await untilHeld(second, `${name}.items`);
    await write(30);
    for (const { target } of pipeline.targets)
      await pipeline.meddle(target, 'ALTER TABLE items DROP COLUMN n');
    await acknowledge(pipeline);
    await write(40);
    await second.kill();
    await pipeline.startRunning();
    await write(50);
    await pipeline.untilEqual();
  });

  it.for(['TRUNCATE TABLE items', 'DROP TABLE items', 'RENAME TABLE items TO old_items'])(
    '%s stops it as well',
    async (statement, t) => {
      const pipeline = await Pipeline.create(t, { tables: [itemsTable(), GOODS] });
      const daemon = await pipeline.startRunning();
      await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'before')");
      await pipeline.write(statement);
      await untilHeld(daemon, `${pipeline.source.name}.items`);
      await pipeline.write("INSERT INTO goods (id, owner, code) VALUES (1, 0, 'after')");
      await pipeline.untilCaughtUp();
      expect(await pipeline.count('east', 'SELECT COUNT(*) FROM items')).toBe(1);
      expect(await pipeline.count('east', 'SELECT COUNT(*) FROM goods')).toBe(1);
      expect(pipeline.logs).toContain('ROWFERRY_SOURCE_DDL');
    },
  );

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
