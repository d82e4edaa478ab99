import kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { RowferryError } from '../../../src/errors.ts';
import {
  configuredClientId,
  instanceOf,
  LinkReporter,
  retryDelayMs,
  settleWithin,
} from '../../../src/drivers/kafka-client.ts';
import { compressionType, loadLz4 } from '../../../src/drivers/kafka-codecs.ts';

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

test('retry delays grow to their bound and keep at least half of it', () => {
  for (let tries = 0; tries < 100; tries++) {
    const full = Math.min(2_000, 100 * 2 ** tries);
    const delay = retryDelayMs(tries);
    expect(delay).toBeGreaterThanOrEqual(full / 2);
    expect(delay).toBeLessThanOrEqual(full);
  }
});

test('what open added to a client id can be told and taken off', () => {
  expect(instanceOf('rowferry-p-apply-12:ab12cd')).toBe('ab12cd');
  expect(configuredClientId('rowferry-p-apply-12:ab12cd')).toBe('rowferry-p-apply-12');
  expect(instanceOf('rowferry-p-apply-12')).toBeUndefined();
  expect(configuredClientId('rowferry-p-apply-12')).toBe('rowferry-p-apply-12');
});

test('goodbyes end at their limit, and their failures are not ours', async () => {
  await settleWithin(Promise.reject(new Error('x')), 10_000);
  const startMs = performance.now();
  await settleWithin(new Promise(() => undefined), 30);
  expect(performance.now() - startMs).toBeGreaterThan(25);
});

test('the reporter tells a loss once, another cause again, and the return', () => {
  const lines: string[] = [];
  const reporter = new LinkReporter(
    { ...silent, warn: (_, text) => lines.push(text), info: (_, text) => lines.push(text) },
    'part',
  );
  const lost = new RowferryError('ROWFERRY_KAFKA_LINK', 'lost');
  reporter.recovered();
  reporter.failed(lost);
  reporter.failed(lost);
  reporter.failed(new RowferryError('ROWFERRY_KAFKA_LINK', 'the same in other words'));
  reporter.failed(new RowferryError('ROWFERRY_KAFKA_REFUSED', 'refused'));
  reporter.recovered();
  reporter.recovered();
  expect(lines).toEqual([
    'part waits for Kafka: ROWFERRY_KAFKA_LINK: lost',
    'part waits for Kafka: ROWFERRY_KAFKA_REFUSED: refused',
    'part reached Kafka again',
  ]);
});

describe('compression', () => {
  test('has the numbers of the protocol', async () => {
    expect(await compressionType('none')).toBe(kafkajs.CompressionTypes.None);
    expect(await compressionType('gzip')).toBe(kafkajs.CompressionTypes.GZIP);
    expect(await loadLz4()).toBe(true);
    expect(await compressionType('lz4')).toBe(kafkajs.CompressionTypes.LZ4);
  });
});
