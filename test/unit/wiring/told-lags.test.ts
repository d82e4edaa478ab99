/** What is told of lag between two reports of a thread: never the age of the report itself. */
import { describe, expect, it } from 'vitest';
import type { Lag } from '../../../src/model/lag.ts';
import { ToldLags } from '../../../src/wiring/told-lags.ts';
import { applyRole, captureRole, NOW, partition, view } from '../server/daemon-fixture.ts';

/** Times are milliseconds since the first report. */
class Reports {
  readonly #lags = new ToldLags();

  /** What is told at `readMs` of a partition whose thread reported at `reportedMs` that a change waits since `sinceMs`. */
  read(readMs: number, reportedMs: number, sinceMs: number): Lag {
    const rising = { lagMs: reportedMs - sinceMs, lagSinceMs: NOW + sinceMs };
    return this.told(readMs, reportedMs, rising);
  }

  told(readMs: number, reportedMs: number, lag: Lag): Lag {
    const role = view('apply', applyRole([partition(lag)]), NOW + reportedMs);
    const status = this.#lags.at([role], NOW + readMs)[0]?.status;
    if (status?.role !== 'apply') throw new Error('no status');
    const { lagMs, lagSinceMs } = status.partitions[0]!;
    return { lagMs, lagSinceMs };
  }
}

describe('the lag of a thread that reports', () => {
  it('under load is what was reported, however old the report: each time another change is at hand', () => {
    const reports = new Reports();
    for (let ms = 0; ms < 5_000; ms += 500)
      expect(reports.read(ms + 240, ms, ms - 7)).toEqual({ lagMs: 7, lagSinceMs: null });
  });

  it('rises until now when two reports tell of the same oldest commit', () => {
    const reports = new Reports();
    expect(reports.read(200, 0, -30).lagMs).toBe(30);
    // The same report again says nothing new.
    expect(reports.read(220, 0, -30).lagMs).toBe(30);
    expect(reports.read(700, 500, -30)).toEqual({ lagMs: 730, lagSinceMs: NOW - 30 });
    expect(reports.read(1_200, 1_000, -30).lagMs).toBe(1_230);
    expect(reports.read(1_700, 1_500, 1_490)).toEqual({ lagMs: 10, lagSinceMs: null });
  });

  it.each([
    ['a change at hand', { lagMs: 40, lagSinceMs: NOW - 40 }],
    ['a delay', { lagMs: 40, lagSinceMs: null }],
  ])('rises by its own silence once the thread is overdue: %s', (_, lag) => {
    const reports = new Reports();
    expect(reports.told(900, 0, lag).lagMs).toBe(40);
    expect(reports.told(1_100, 0, lag)).toEqual({ lagMs: 1_140, lagSinceMs: NOW - 40 });
    expect(reports.told(61_000, 0, lag).lagMs).toBe(61_040);
  });

  it('that is not known stays so', () => {
    expect(new Reports().told(9_000, 0, { lagMs: null, lagSinceMs: null }).lagMs).toBeNull();
  });

  it('holds for captures and targets too', () => {
    const lags = new ToldLags();
    const rising = { lagMs: 20, lagSinceMs: NOW - 20 };
    const [target] = applyRole().targets;
    const roles = (reportedMs: number) => [
      view('capture main', captureRole(rising), NOW + reportedMs),
      view('apply', applyRole([], { targets: [{ ...target!, ...rising }] }), NOW + reportedMs),
    ];
    const lagsOf = (readMs: number, reportedMs: number) =>
      lags.at(roles(reportedMs), NOW + readMs).map(({ status }) => {
        return status?.role === 'capture' ? status.capture.lagMs : status?.targets[0]?.lagMs;
      });
    expect(lagsOf(400, 250)).toEqual([20, 20]);
    expect(lagsOf(900, 750)).toEqual([920, 920]);
  });
});
