import { expect, test } from 'vitest';
import { RowferryError } from '../../../src/errors.ts';
import { Outages } from '../../../src/runtime/outages.ts';
import { connectKafka } from '../../../src/wiring/kafka-parts.ts';
import { silentLog } from '../../../src/wiring/silent-log.ts';
import { GOOD, parse } from '../config/config-text.ts';

test('a consumer that tries quicker than an outage counts has three tries after seven seconds, and is gone with its end', () => {
  const clock = { ms: 0 };
  const outages = new Outages({ maxMs: 30_000, log: silentLog, now: () => clock.ms });
  const watch = connectKafka(parse(GOOD), 'apply', silentLog, outages).reporter('consumer x');
  for (; clock.ms < 7_000; clock.ms += 200) watch.failed(new RowferryError('ROWFERRY_KAFKA_LINK', 'away'));
  expect(outages.current).toMatchObject([
    { part: 'consumer x', server: 'kafka', phase: 'trying', tries: 2, sinceMs: 0 },
  ]);
  watch.failed(new RowferryError('ROWFERRY_KAFKA_LINK', 'away'));
  expect(outages.current).toMatchObject([{ phase: 'probing', tries: 3 }]);
  watch.recovered();
  expect(outages.current).toEqual([]);
  watch.failed(new RowferryError('ROWFERRY_KAFKA_LINK', 'away'));
  watch.ended();
  expect(outages.current).toEqual([]);
});
