import { describe, expect, it } from 'vitest';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

const PASSWORD = 'pl4nted+s3cret/of:the@source';
const VALUE = 'planted-row-value';

describe('the log', () => {
  it('holds no password and no row value, whatever goes wrong', async (t) => {
    const user = `planted_${process.pid.toString(36)}`;
    const pipeline = await Pipeline.create(t, {
      tables: [itemsTable({ unique: true })],
      configure: ({ sources }) => {
        const main = sources['main'] ?? {};
        const url = new URL(String(main['url']));
        url.username = user;
        url.password = encodeURIComponent(PASSWORD);
        main['url'] = url.href;
      },
    });
    await pipeline.write(`CREATE USER ${user} IDENTIFIED BY '${PASSWORD}'`);
    t.onTestFinished(async () => await pipeline.write(`DROP USER ${user}`));
    await pipeline.write(`GRANT ALL ON *.* TO ${user}`);
    const daemon = await pipeline.startRunning();
    await pipeline.write('INSERT INTO items (id, owner, code) VALUES (1, 0, ?), (2, 1, ?)', [
      VALUE,
      `${VALUE}-2`,
    ]);
    await pipeline.untilEqual();

    // A conflict that parks a row, then a value that the target cannot take.
    await pipeline.meddle('east', `INSERT INTO items (id, owner, code) VALUES (1000, 0, '${VALUE}-3')`);
    await pipeline.write('INSERT INTO items (id, owner, code) VALUES (3, 0, ?)', [`${VALUE}-3`]);
    await daemon.untilStatus('a parked row', ({ partitions }) => partitions.some(({ parked }) => parked > 0));
    await pipeline.meddle('east', 'ALTER TABLE items MODIFY code VARCHAR(20) NULL');
    await pipeline.write('INSERT INTO items (id, owner, code) VALUES (4, 0, ?)', [
      `${VALUE} that is too long`,
    ]);
    await daemon.untilStatus('a partition to stop', ({ partitions }) =>
      partitions.some(({ state }) => state === 'stopped'),
    );
    await pipeline.write(`ALTER TABLE items DROP COLUMN n, COMMENT '${VALUE}'`);
    await daemon.untilStatus('a held table', ({ captures }) => captures.some(({ held }) => held.length > 0));

    expect(pipeline.logs).toContain('ROWFERRY_TARGET_DATA');
    expect(pipeline.logs).toContain('ROWFERRY_SOURCE_DDL');
    for (const planted of [PASSWORD, encodeURIComponent(PASSWORD), VALUE])
      expect(pipeline.logs).not.toContain(planted);
  });
});
