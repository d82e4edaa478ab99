import { describe, expect, it } from 'vitest';
import { CaptureLag } from '../../../src/capture/capture-lag.ts';

const NOW = 1_000_000;

/** A capture that read one transaction, which Kafka has. */
function begun(): CaptureLag {
  const lag = new CaptureLag(1_000);
  lag.begin(1, true);
  lag.change(NOW - 30);
  lag.transaction(NOW - 30, NOW - 10);
  lag.sent(1, false);
  lag.acknowledged(1, NOW);
  return lag;
}

describe('the lag of a capture (LAG-3, I-9)', () => {
  it('is not known before Kafka has acknowledged anything', () => {
    const lag = new CaptureLag(1_000);
    lag.idle(NOW);
    lag.sent(4, true);
    expect(lag.at(NOW, true).lagMs).toBeNull();
    lag.acknowledged(4, NOW);
    expect(lag.at(NOW, true).lagMs).toBe(0);
  });

  it('is the delay with which the last transaction was read, and 0 once the source is idle', () => {
    const lag = begun();
    expect(lag.at(NOW + 500, true).lagMs).toBe(20);
    lag.idle(NOW + 1_000);
    lag.sent(5, true);
    lag.acknowledged(5, NOW + 1_005);
    expect(lag.at(NOW + 1_900, true).lagMs).toBe(0);
  });

  it('is the age of the oldest commit that Kafka has not acknowledged', () => {
    const lag = begun();
    lag.change(NOW + 100);
    expect(lag.at(NOW + 600, true).lagMs).toBe(500);
    lag.transaction(NOW + 100, NOW + 110);
    lag.sent(2, false);
    lag.change(NOW + 200);
    lag.transaction(NOW + 200, NOW + 210);
    lag.sent(3, false);
    lag.acknowledged(1, NOW + 300);
    expect(lag.at(NOW + 9_100, true).lagMs).toBe(9_000);
    lag.acknowledged(2, NOW + 9_100);
    expect(lag.at(NOW + 9_200, true).lagMs).toBe(9_000);
  });

  it('rises while markers are not acknowledged, and while nothing is read', () => {
    const lag = begun();
    lag.idle(NOW + 1_000);
    lag.sent(5, true);
    expect([2_000, 2_001].map((later) => lag.at(NOW + later, true).lagMs)).toEqual([0, 2_031]);
    expect(lag.at(NOW + 100, false).lagMs).toBe(130);
  });

  it('rises while the source is not known to be idle, however fresh its markers are', () => {
    const lag = begun();
    lag.idle(NOW + 1_000);
    lag.sent(5, true);
    lag.acknowledged(5, NOW + 1_005);
    lag.overdue(true);
    expect(lag.at(NOW + 1_900, true)).toEqual({ lagMs: 900, lagSinceMs: NOW + 1_000 });
    lag.overdue(false);
    expect(lag.at(NOW + 1_900, true).lagMs).toBe(0);
    lag.overdue(true);
    lag.begin(1, true);
    lag.idle(NOW + 2_000);
    lag.sent(6, true);
    lag.acknowledged(6, NOW + 2_000);
    expect(lag.at(NOW + 2_100, true).lagMs).toBe(0);
  });

  it('goes on rising through incarnations that read nothing', () => {
    const lag = begun();
    lag.change(NOW + 50);
    lag.begin(1, true);
    lag.begin(1, true);
    expect(lag.at(NOW + 5_050, true).lagMs).toBe(5_000);
  });

  it('is not known when an operator lets it go back, nor when another process captures', () => {
    const lag = begun();
    lag.begin(2, true);
    expect(lag.at(NOW, true).lagMs).toBeNull();
    const other = begun();
    other.forget();
    expect(other.at(NOW, false).lagMs).toBeNull();
    const released = begun();
    released.begin(2, false);
    expect(released.at(NOW, false).lagMs).toBe(30);
  });
});
