import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DebeziumFilter } from '../../../src/apply/debezium-filter.ts';
import type { PartitionSequence } from '../../../src/targets/target.ts';

const NOTHING: PartitionSequence = { epoch: 0, file: 0, end: 0, half: 0 };

/** A change that some server logged. */
interface Logged {
  readonly name: number;
  /** Which of the logs: positions begin anew with each. */
  readonly log: number;
  readonly server: number;
  readonly file: number;
  readonly position: number;
  readonly timeMs: number;
}

const SECONDS = 1000;

/** Servers that follow each other; each begins with any position, and its clock is not behind what went before. */
const logs: fc.Arbitrary<Logged[]> = fc
  .array(
    fc.record({
      server: fc.integer({ min: 1, max: 3 }),
      file: fc.integer({ min: 1, max: 3 }),
      steps: fc.array(
        fc.record({ bytes: fc.integer({ min: 1, max: 50 }), ms: fc.integer({ min: 0, max: 2 }) }),
        {
          minLength: 1,
          maxLength: 8,
        },
      ),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((servers) => {
    let timeMs = 1;
    let name = 0;
    return servers.flatMap(({ server, file, steps }, log) => {
      let position = 4;
      return steps.map(({ bytes, ms }) => {
        position += bytes;
        timeMs += ms * SECONDS;
        return { name: name++, log, server, file, position, timeMs };
      });
    });
  });

/** What the topic holds when the writer goes back now and then, within what one server logged. */
const topics = logs.chain((log) =>
  fc.array(fc.record({ at: fc.nat(log.length - 1), back: fc.nat(5) }), { maxLength: 4 }).map((restarts) => {
    const topic: Logged[] = [];
    for (const [index, logged] of log.entries()) {
      topic.push(logged);
      for (const { at, back } of restarts.filter(({ at }) => at === index)) {
        topic.push(...log.slice(Math.max(0, at - back), at + 1).filter((one) => one.log === logged.log));
      }
    }
    return topic;
  }),
);

function show(filter: DebeziumFilter, { server, file, position, timeMs }: Logged): boolean {
  return filter.accepts(server, { sequence: { file, end: position, half: 1 }, timeMs });
}

describe('DebeziumFilter', () => {
  it('never drops news, and what it lets through ends where the log ends, wherever an applier starts anew', () => {
    fc.assert(
      fc.property(topics, fc.array(fc.nat(30)), (topic, takeovers) => {
        let filter = new DebeziumFilter(NOTHING);
        const seen = new Set<number>();
        let standsAt = -1;
        for (const [offset, logged] of topic.entries()) {
          // A new owner knows what the watermark kept.
          if (takeovers.includes(offset)) filter = new DebeziumFilter(filter.current);
          const isNews = !seen.has(logged.name);
          seen.add(logged.name);
          const accepted = show(filter, logged);
          if (isNews) expect(accepted).toBe(true);
          // Whatever was accepted, nothing between it and the next accepted change was left out.
          if (accepted) expect(logged.name).toBeLessThanOrEqual(standsAt + 1);
          if (accepted) standsAt = logged.name;
        }
        expect(standsAt).toBe(Math.max(...seen));
      }),
      { numRuns: 2000 },
    );
  });

  it('drops all of a repetition that is older than the newest change', () => {
    const filter = new DebeziumFilter(NOTHING);
    const log = [1, 2, 3, 4].map((name) => ({
      name,
      log: 0,
      server: 7,
      file: 3,
      position: 100 * name,
      timeMs: 10 * name,
    }));
    for (const logged of log) expect(show(filter, logged)).toBe(true);
    for (const logged of log.slice(0, 3)) expect(show(filter, logged)).toBe(false);
    // The newest change itself may come again: it changes nothing.
    expect(show(filter, log[3]!)).toBe(true);
  });

  it('takes the rows of every snapshot, and goes on with the log where it stood', () => {
    const filter = new DebeziumFilter({ epoch: 8, file: 3, end: 900, half: 50 });
    const row = { sequence: { file: 1, end: 4, half: 1 }, timeMs: 1, snapshot: 'row' as const };
    expect(filter.accepts(1, row)).toBe(true);
    expect(filter.accepts(1, row)).toBe(true);
    expect(filter.current).toEqual({ epoch: 8, file: 3, end: 900, half: 50 });
    expect(filter.accepts(8, { sequence: { file: 3, end: 800, half: 1 }, timeMs: 49 })).toBe(false);
    expect(filter.accepts(8, { sequence: { file: 3, end: 950, half: 1 }, timeMs: 49 })).toBe(true);
  });

  it('follows another server whose binlog is shorter', () => {
    const filter = new DebeziumFilter({ epoch: 8, file: 30, end: 900, half: 50 });
    expect(filter.accepts(9, { sequence: { file: 1, end: 157, half: 1 }, timeMs: 40 })).toBe(true);
    expect(filter.current).toEqual({ epoch: 9, file: 1, end: 157, half: 40 });
  });
});
