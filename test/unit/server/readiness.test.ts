import { describe, expect, it } from 'vitest';
import { liveness, readiness } from '../../../src/server/readiness.ts';
import type { RoleStatus } from '../../../src/wiring/role-messages.ts';
import { applyRole, captureRole, NOW, partition, view } from './daemon-fixture.ts';

const bounds = { stallMs: 60_000, checkpointMs: 1_000 };
const pause = { by: 'somebody', timeMs: NOW };
const LONG_AGO = NOW - 61_000;
const RECENTLY = NOW - 59_000;

function reasons(...roles: RoleStatus[]): (string | null)[] {
  const views = roles.map((role) => view(role.role, role));
  return readiness(views, bounds, NOW).parts.flatMap(({ reason }) => reason ?? []);
}

describe('readiness', () => {
  it('holds for parts that work, are idle, stand by or are paused', () => {
    expect(reasons(captureRole(), applyRole())).toEqual([]);
    expect(reasons(captureRole({ state: 'standby', savedMs: null }))).toEqual([]);
    expect(reasons(captureRole({ state: 'paused', savedMs: LONG_AGO }))).toEqual([]);
    expect(reasons(applyRole([partition({ progressedMs: LONG_AGO })]))).toEqual([]);
    expect(reasons(applyRole([]))).toEqual([]);
    const held = partition({ state: 'paused', progressedMs: LONG_AGO, queueBytes: 10, writing: true });
    expect(reasons(applyRole([held], { pause }))).toEqual([]);
  });

  it('fails for a part that has work and got nowhere for the bound, not a moment sooner', () => {
    for (const work of [{ queueBytes: 1 }, { writing: true }]) {
      expect(reasons(applyRole([partition({ ...work, progressedMs: LONG_AGO })]))).toEqual([
        'has work and got nowhere for 61 s',
      ]);
      expect(reasons(applyRole([partition({ ...work, progressedMs: RECENTLY })]))).toEqual([]);
    }
    // It has only just begun: what it did in another state does not count.
    expect(reasons(applyRole([partition({ queueBytes: 1, progressedMs: null, sinceMs: RECENTLY })]))).toEqual(
      [],
    );
    expect(reasons(captureRole({ savedMs: LONG_AGO }))).toEqual(['has saved no position for 61 s']);
    expect(
      readiness([view('c', captureRole({ savedMs: LONG_AGO }))], { ...bounds, checkpointMs: 60_000 }, NOW).ok,
    ).toBe(true);
  });

  it('fails at once for a part that stopped, and for one that waits only after the bound', () => {
    const error = { errorCode: 'ROWFERRY_TARGET_DATA' };
    expect(reasons(applyRole([partition({ state: 'stopped', ...error })]))).toEqual([
      'stopped with ROWFERRY_TARGET_DATA',
    ]);
    expect(reasons(captureRole({ state: 'stopped', errorCode: 'ROWFERRY_SOURCE_DDL' }))).toHaveLength(1);
    for (const state of ['waiting', 'claiming'] as const) {
      expect(reasons(applyRole([partition({ state, sinceMs: RECENTLY })])), state).toEqual([]);
      expect(reasons(applyRole([partition({ state, sinceMs: LONG_AGO })])), state).toHaveLength(1);
    }
    for (const state of ['waiting', 'holding'] as const) {
      expect(reasons(captureRole({ state, sinceMs: RECENTLY })), state).toEqual([]);
      expect(reasons(captureRole({ state, sinceMs: LONG_AGO })), state).toHaveLength(1);
    }
  });

  it('fails for a role that has ended for good, whatever it told last', () => {
    const ended = { ...view('apply', applyRole()), failureCode: 'ROWFERRY_KAFKA_OFFSET_LOST' as const };
    expect(readiness([ended], bounds, NOW).parts).toEqual([
      { part: 'apply', state: 'stopped', ready: false, reason: 'ended with ROWFERRY_KAFKA_OFFSET_LOST' },
    ]);
  });

  it('fails for a part that has not reached its server for the bound, whatever it is doing at the moment', () => {
    const outage = {
      part: 'shop.main/0',
      phase: 'probing',
      server: 'target a',
      tries: 9,
      sinceMs: LONG_AGO,
      nextTryMs: NOW,
      error: 'gone',
      errorCode: 'ROWFERRY_TARGET_LINK',
    } as const;
    const claiming = [partition({ state: 'claiming', sinceMs: NOW })];
    expect(reasons(applyRole(claiming, { outages: [outage] }))).toEqual([
      'waits for 61 s (ROWFERRY_TARGET_LINK)',
    ]);
    expect(reasons(applyRole(claiming, { outages: [{ ...outage, sinceMs: RECENTLY }] }))).toEqual([]);
    expect(reasons(captureRole({}, { outages: [{ ...outage, part: 'copy main shop.a' }] }))).toEqual([]);
    expect(reasons(captureRole({}, { outages: [{ ...outage, part: 'heartbeat row main' }] }))).toEqual([]);
  });

  it('fails before a part has begun, and when its thread fell silent', () => {
    expect(readiness([view('apply', undefined)], bounds, NOW).ok).toBe(false);
    expect(readiness([view('apply', applyRole(), LONG_AGO)], bounds, NOW).parts).toMatchObject([
      { state: 'silent', ready: false },
    ]);
    const counts = { ...applyRole().counts, rebalances: 0 };
    expect(reasons(applyRole([], { counts }))).toEqual(['has not joined its group yet']);
    expect(reasons(captureRole({ state: 'starting', sinceMs: RECENTLY }))).toHaveLength(1);
  });
});

describe('liveness', () => {
  it('holds for whatever still reports, also when it stopped, and fails for a thread that fell silent', () => {
    const stopped = applyRole([partition({ state: 'stopped' })]);
    expect(liveness([view('apply', stopped), view('capture main', undefined)], NOW).ok).toBe(true);
    expect(liveness([view('apply', applyRole(), LONG_AGO)], NOW).ok).toBe(false);
  });
});
