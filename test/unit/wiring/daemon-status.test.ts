import { describe, expect, it } from 'vitest';
import { StatusGatherer, statusAt } from '../../../src/wiring/daemon-status.ts';
import type { RoleStatus } from '../../../src/wiring/role-messages.ts';
import { applyRole, captureRole, NOW, partition } from '../server/daemon-fixture.ts';

function gather(roles: readonly RoleStatus[]) {
  return new StatusGatherer({ name: 'shop', role: 'all', startedMs: 0 }).gather(roles, null, NOW);
}

const rising = (ms: number) => ({ lagMs: ms, lagSinceMs: NOW - ms });

describe('the lag of a process', () => {
  it('is the largest of its partitions, captures and held tables', () => {
    const partitions = applyRole([partition(), partition({ partition: 1, ...rising(3_000) })]);
    const held = {
      table: 'shop.t',
      statement: 'b.1:4',
      why: 'x',
      sinceMs: NOW - 9_000,
      acknowledged: null,
      waits: null,
    };
    expect(gather([partitions, captureRole()]).lagMs).toBe(3_000);
    expect(gather([partitions, captureRole({ lagMs: 5_000 })]).lagMs).toBe(5_000);
    expect(gather([partitions, captureRole({ held: [held] })]).lagMs).toBe(9_000);
    expect(gather([captureRole({ held: [held] })]).lagMs).toBe(9_000);
  });

  it('counts a parked row from when it was parked', () => {
    const parked = partition({ parked: 1, oldestParkedMs: NOW - 7_000 });
    expect(gather([applyRole([parked, partition({ partition: 1, lagMs: 400 })])]).lagMs).toBe(7_000);
    expect(gather([applyRole([parked, partition({ partition: 1, lagMs: null })])]).lagMs).toBeNull();
  });

  it('is not known while that of a partition is not; a capture that stands by hides nothing', () => {
    const unknown = applyRole([partition(rising(3_000)), partition({ partition: 1, lagMs: null })]);
    expect(gather([unknown, captureRole()]).lagMs).toBeNull();
    const standby = captureRole({ state: 'standby', lagMs: null });
    expect(gather([applyRole(), standby]).lagMs).toBe(0);
    expect(gather([standby]).lagMs).toBeNull();
    expect(gather([]).lagMs).toBeNull();
  });

  it('is told for the moment at which it is asked for: what rises has risen since, a delay has not', () => {
    const partitions = [partition(rising(3_000)), partition({ partition: 1, lagMs: 700 })];
    const later = statusAt(gather([applyRole(partitions), captureRole()]), NOW + 400);
    expect([later.lagMs, ...later.partitions.map(({ lagMs }) => lagMs)]).toEqual([3_400, 3_400, 700]);
    expect(later.timeMs).toBe(NOW + 400);
  });
});
