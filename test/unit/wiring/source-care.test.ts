import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { captureSignals } from '../../../src/capture/copy-signals.ts';
import { restMs } from '../../../src/capture/copy-throttle.ts';
import type { ThrottleSignal } from '../../../src/runtime/throttle.ts';
import { Throttle } from '../../../src/runtime/throttle.ts';
import { isWithin, replicaSignal, replicaStatement, threadsSignal } from '../../../src/wiring/source-care.ts';

const at = (time: string): number => {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
};
const hours = (from: string, to: string) => ({ from: at(from), to: at(to) });

describe('the hours of a copy', () => {
  it.each([
    ['09:00', '17:00', '09:00', true],
    ['09:00', '17:00', '16:59', true],
    ['09:00', '17:00', '17:00', false],
    ['09:00', '17:00', '03:00', false],
    ['22:00', '05:30', '23:59', true],
    ['22:00', '05:30', '00:00', true],
    ['22:00', '05:30', '05:30', false],
    ['22:00', '05:30', '12:00', false],
  ] as const)('%s-%s at %s: %s', (from, to, now, expected) => {
    expect(isWithin(hours(from, to), at(now))).toBe(expected);
  });

  it('and the hours between their end and their beginning are each other’s rest of the day', () => {
    const minute = fc.integer({ min: 0, max: 1439 });
    fc.assert(
      fc.property(minute, minute, minute, (from, to, now) => {
        fc.pre(from !== to);
        expect(isWithin({ from, to }, now)).toBe(!isWithin({ from: to, to: from }, now));
      }),
    );
  });
});

/** What it says when it is over its limit. */
function complaint({ value, slowAbove, what }: ThrottleSignal): string | null {
  return value > slowAbove ? what : null;
}

describe('a busy source', () => {
  it('is spared past the limit, and when it does not tell', () => {
    const running = (threads: string) => [{ Variable_name: 'Threads_running', Value: threads }];
    expect(complaint(threadsSignal('source main', running('8'), 8))).toBeNull();
    expect(complaint(threadsSignal('source main', running('9'), 8))).toBe(
      'source main runs 9 threads, more than 8',
    );
    const wrong = [[], running(''), running('many'), [{ Variable_name: 'Threads_running', Value: null }]];
    for (const rows of wrong)
      expect(complaint(threadsSignal('source main', rows, 8))).toContain('does not tell');
  });

  it('is calm again some way below its limit, which it can reach however small that is', () => {
    const running = (threads: number) => [{ Variable_name: 'Threads_running', Value: String(threads) }];
    expect(threadsSignal('source main', running(9), 10)).toMatchObject({ value: 9, calmAt: 8 });
    for (const most of [1, 2, 3])
      expect(threadsSignal('source main', running(1), most).calmAt, String(most)).toBe(Math.max(1, most - 1));
  });
});

describe('signals of servers and of the capture itself', () => {
  it('leave a copy a speed and rests that are numbers, whatever they tell', () => {
    const text = fc.oneof(fc.constantFrom(null, '', 'NULL', '-1', '1e3', '0', '7', '99999999999999999999'), fc.string()); // prettier-ignore
    const number = fc.constantFrom(NaN, Infinity, -Infinity, 0, 0.5, 1e12);
    fc.assert(
      fc.property(fc.array(text, { maxLength: 3 }), number, number, fc.nat(), (texts, lag, fill, rows) => {
        const throttle = new Throttle(0.05);
        const channels = texts.map((seconds) => ({ Seconds_Behind_Source: seconds }));
        const signals = [
          threadsSignal('source main', [{ Value: texts[0] ?? null }], 8),
          replicaSignal('replica r1', channels, 5_000),
          ...captureSignals(lag, fill),
        ];
        throttle.look(signals);
        const pace = { readers: 4, leastPercent: 5, rowsPerSecond: null };
        expect(Number.isFinite(throttle.share)).toBe(true);
        expect(Number.isFinite(restMs({ rows, readMs: 10 }, throttle.share, pace))).toBe(true);
        expect(throttle.cause?.what ?? '').not.toMatch(/NaN|Infinity/);
      }),
    );
  });
});

describe('a replica', () => {
  const channel = (seconds: string | null) => ({ Seconds_Behind_Source: seconds });
  it.each([
    ['that keeps up', [channel('0')], null],
    ['that is as far behind as it may be', [channel('5')], null],
    ['that is too far behind', [channel('6')], 'replica r1 is 6 s behind'],
    ['in the words of MariaDB', [{ Seconds_Behind_Master: '6' }], 'replica r1 is 6 s behind'],
    ['whose threads stand still', [channel(null)], 'replica r1 does not replicate'],
    ['with one channel of two behind', [channel('0'), channel('9')], 'replica r1 is 9 s behind'],
    ['with one channel of two at a stand', [channel('0'), channel(null)], 'replica r1 does not replicate'],
    ['that tells no number', [channel('soon')], 'replica r1 does not tell how far it is behind'],
    ['that tells nothing', [channel('')], 'replica r1 does not tell how far it is behind'],
    [
      'with one channel that tells no number',
      [channel('0'), channel('NaN')],
      'replica r1 does not tell how far it is behind',
    ],
    ['that follows nobody', [], 'replica r1 is no replica'],
  ] as const)('%s', (_, rows, reason) => {
    expect(complaint(replicaSignal('replica r1', rows, 5_000))).toBe(reason);
  });

  it.each([
    ['8.0.21', 'SHOW SLAVE STATUS'],
    ['8.0.22-0ubuntu0.20.04.2', 'SHOW REPLICA STATUS'],
    ['8.4.3', 'SHOW REPLICA STATUS'],
    ['9.7.4', 'SHOW REPLICA STATUS'],
    ['5.7.44-log', 'SHOW SLAVE STATUS'],
    ['10.6.18-MariaDB-log', 'SHOW ALL SLAVES STATUS'],
    ['11.8.9-MariaDB-4', 'SHOW ALL SLAVES STATUS'],
  ])('of version %s is asked by %s', (version, statement) => {
    expect(replicaStatement(version)).toBe(statement);
  });
});
