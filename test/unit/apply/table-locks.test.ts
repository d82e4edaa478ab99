import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { TableLocks } from '../../../src/apply/table-locks.ts';

describe('TableLocks', () => {
  it('lets one in at a time for each table, in the order of asking, and others side by side', async () => {
    const locks = new TableLocks();
    const events: string[] = [];
    const work = (name: string, tables: readonly string[]) =>
      locks.hold(tables, async () => {
        events.push(`+${name}`);
        await setImmediate();
        events.push(`-${name}`);
      });
    await Promise.all([
      work('a', ['x']),
      work('b', ['y', 'x']),
      work('c', ['x', 'y']),
      work('d', []),
      work('e', ['z']),
    ]);
    const inside = (name: string) => events.slice(events.indexOf(`+${name}`) + 1, events.indexOf(`-${name}`));
    for (const name of ['a', 'b', 'c'])
      for (const other of ['a', 'b', 'c']) expect(inside(name)).not.toContain(`+${other}`);
    expect(events.indexOf('+b')).toBeLessThan(events.indexOf('+c'));
    for (const other of ['+d', '+e']) expect(events.indexOf(other)).toBeLessThan(events.indexOf('-a'));
  });

  it('is free again after an error', async () => {
    const locks = new TableLocks();
    await expect(locks.hold(['x'], () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await locks.hold(['x'], () => Promise.resolve('yes'))).toBe('yes');
  });
});
