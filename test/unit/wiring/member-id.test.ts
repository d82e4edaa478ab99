import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isDeadHere, memberId } from '../../../src/wiring/member-id.ts';

describe('isDeadHere', () => {
  it('knows a living process', () => {
    expect(isDeadHere(memberId('shop', 'apply'))).toBe(false);
  });

  it('knows a process of this machine that has ended, and one whose number another process got', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    expect(isDeadHere(`rowferry/shop/apply@${hostname()}/${pid}/12345`)).toBe(true);
    expect(isDeadHere(`rowferry/shop/apply@${hostname()}/${process.pid}/1`)).toBe(true);
  });

  it('never judges other machines or other programs', () => {
    expect(isDeadHere('rowferry/shop/apply@elsewhere/1/12345')).toBe(false);
    expect(isDeadHere('some-consumer')).toBe(false);
    expect(isDeadHere(`rowferry/shop/apply@${hostname()}/1/0`)).toBe(false);
  });
});
