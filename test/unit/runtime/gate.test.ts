import { describe, expect, it } from 'vitest';
import { Gate } from '../../../src/runtime/gate.ts';

const never = new AbortController().signal;

describe('a gate', () => {
  it('lets pass while it is open, holds while it is closed, and lets all go on together', async () => {
    const gate = new Gate();
    await gate.opened(never);
    gate.close();
    const passed: number[] = [];
    const waiting = [1, 2].map(async (who) => {
      await gate.opened(never);
      passed.push(who);
    });
    await Promise.resolve();
    expect(passed).toEqual([]);
    gate.open();
    await Promise.all(waiting);
    expect(passed).toEqual([1, 2]);
  });

  it('holds who comes when it closes again before they got through', async () => {
    const gate = new Gate();
    gate.close();
    let through = false;
    const passing = gate.opened(never).then(() => (through = true));
    gate.open();
    gate.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(through).toBe(false);
    gate.open();
    await passing;
  });

  it('ends a period when it closes, tells listeners once, and begins another when it opens', () => {
    const gate = new Gate();
    let told = 0;
    const forget = gate.onClose(() => (told += 1));
    const first = gate.period;
    gate.close();
    gate.close();
    expect(first.aborted).toBe(true);
    expect(gate.period.aborted).toBe(true);
    gate.open();
    expect(gate.period.aborted).toBe(false);
    forget();
    gate.close();
    expect(told).toBe(1);
  });

  it('lets go of who waits when their signal aborts', async () => {
    const gate = new Gate();
    gate.close();
    const stop = new AbortController();
    const waiting = gate.opened(stop.signal);
    stop.abort();
    await waiting;
    expect(gate.isClosed).toBe(true);
  });
});
