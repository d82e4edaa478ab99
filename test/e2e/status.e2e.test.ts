import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parkedCommand } from '../../src/cli/parked.ts';
import { positionsCommand } from '../../src/cli/positions.ts';
import { statusCommand } from '../../src/cli/status.ts';
import type { PipelineStatus } from '../../src/wiring/pipeline-status.ts';
import { Api } from '../support/api.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';
import { leadThrough, proxyOf } from '../support/proxied.ts';
import { runVerb } from '../support/run-verb.ts';
import { testServers } from '../support/servers.ts';

describe('rowferry status', () => {
  it('tells of a target and of a Kafka that are away, within seconds, and all that it knows besides', async (t) => {
    const { shard, brokers } = testServers();
    const east = await proxyOf(t, shard);
    const [host = '', port = ''] = (brokers[0] ?? '').split(':');
    const kafka = await proxyOf(t, { host, port: Number(port) });
    const pipeline = await Pipeline.create(t, {
      tables: [itemsTable()],
      configure: ({ targets }) => leadThrough(east, targets['east']),
    });
    const daemon = await pipeline.startRunning();
    await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 0), (2, 1)');
    await pipeline.untilEqual();
    const runDir = `${pipeline.folder}/run-1`;
    const verb = async (
      command: typeof statusCommand,
      args: readonly string[] = [],
      file = pipeline.configFile,
    ) => {
      const env = { ...process.env, ROWFERRY_TEST_RUN_DIR: runDir };
      const startedAt = performance.now();
      const run = await runVerb(command, [...args, '-c', file], { env });
      return { ...run, tookMs: performance.now() - startedAt };
    };
    const otherKafka = `${pipeline.configFile}.kafka.yaml`;
    writeFileSync(
      otherKafka,
      readFileSync(pipeline.configFile, 'utf8').replace(brokers[0] ?? '', `127.0.0.1:${kafka.port}`),
    );
    const healthy = JSON.parse((await verb(statusCommand, ['--json'])).lines[0] ?? '') as PipelineStatus;
    expect(healthy).toMatchObject({ away: [], daemons: [{ role: 'all' }] });
    expect(healthy.partitions.every(({ next, parked }) => next !== null && parked === 0)).toBe(true);

    for (const fault of ['blackHole', 'refuse'] as const) {
      east.faults[fault] = true;
      east.cut();
      const { lines, tookMs } = await verb(statusCommand);
      expect(
        lines.filter((line) => /^target +east +cannot be reached: ROWFERRY_TARGET_LINK/.test(line)),
      ).toHaveLength(1);
      expect(lines.find((line) => line.startsWith('source    main'))).toContain('epoch 1');
      expect(lines.find((line) => /^\S+\/0 /.test(line))).toMatch(/-\s+\d+\s+-\s+-/);
      expect(tookMs, 'ms').toBeLessThan(8_000);
      const parked = await verb(parkedCommand, ['list']);
      expect(parked).toMatchObject({
        exitCode: 5,
        lines: [expect.stringMatching(/^! target east cannot be reached/)],
      });
      expect((await new Api(daemon).get('/api/parked')).body).toMatchObject({
        total: 0,
        away: [{ target: 'east', why: expect.stringContaining('ROWFERRY_TARGET_LINK') }],
      });
      east.heal();
    }
    for (const fault of ['blackHole', 'refuse'] as const) {
      kafka.faults[fault] = true;
      const { lines, tookMs } = await verb(statusCommand, [], otherKafka);
      expect(
        lines.filter((line) => /^kafka +cannot be reached: ROWFERRY_KAFKA_LINK/.test(line)),
      ).toHaveLength(1);
      expect(lines.find((line) => /^\S+\/0 /.test(line))).toMatch(/ \d+ +- +- +0 /);
      expect(tookMs, 'ms').toBeLessThan(8_000);
      if (fault === 'refuse') continue;
      const paused = performance.now();
      await expect(verb(positionsCommand, [], otherKafka)).rejects.toMatchObject({
        code: 'ROWFERRY_KAFKA_LINK',
      });
      expect(performance.now() - paused, 'ms').toBeLessThan(18_000);
      kafka.heal();
    }
  });

  it('tells of a pipeline that has never run, and makes no table for it', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const run = await runVerb(statusCommand, ['--json', '-c', pipeline.configFile], {
      env: { ...process.env, ROWFERRY_TEST_RUN_DIR: pipeline.folder },
    });
    const { away, partitions, sources } = JSON.parse(run.lines[0] ?? '') as PipelineStatus;
    // No daemon has ever run: of Kafka's topics there is none yet.
    expect(away).toMatchObject([
      { part: 'kafka', why: expect.stringContaining('ROWFERRY_KAFKA_TOPIC_GONE') },
    ]);
    expect(partitions).toEqual([]);
    expect(sources).toMatchObject([{ name: 'main', position: null }]);
    // Creating it fails where it is already.
    for (const target of ['east', 'west'])
      await pipeline.meddle(target, 'CREATE TABLE rowferry_watermark (a int)');
  });
});
