import { describe, expect, it } from 'vitest';
import type { TableStatement } from '../../../src/capture/assembled.ts';
import { StatementGate } from '../../../src/capture/statement-gate.ts';
import { ALL_FLOW, TableFlow } from '../../../src/capture/table-flow.ts';
import type { Log } from '../../../src/model/log.ts';
import type { Position } from '../../../src/model/position.ts';
import { silentLog } from '../../../src/wiring/silent-log.ts';

const HERE: Position = { server: 's1', file: 'binlog.000001', offset: 40 };

function gateOf(log: Log = silentLog) {
  const flow = new TableFlow(ALL_FLOW);
  const sent: string[] = [];
  const gate = new StatementGate({
    source: 'main',
    policy: { ddl: 'apply', truncate: 'apply' },
    flow,
    broadcast: ({ name }, { kind }) => sent.push(`${kind} ${name}`),
    changed: () => {},
    log,
  });
  return { gate, flow, sent };
}

describe('the cut of a table without a key', () => {
  const visits = { schema: 'shop', name: 'visits', columns: [], key: [] };

  it.each([true, false])(
    'is saved before any row behind it is published (targets to be emptied: %s): a crash would copy that row again',
    (empties) => {
      const { gate, sent } = gateOf();
      gate.cut(visits, empties, { file: 1, end: 90, timeMs: 1 });
      expect([gate.hasHeld, gate.hasTruncates]).toEqual([true, empties]);
      gate.sendTruncates([3]);
      expect(sent).toEqual(empties ? ['truncate 1:90'] : []);
    },
  );
});

describe('a statement that was acknowledged before it is read', () => {
  it('holds its table without calling an operator', () => {
    const errors: string[] = [];
    const { gate, flow } = gateOf({ ...silentLog, error: (_, message) => errors.push(message) });
    const statement: TableStatement = {
      schema: 'shop',
      table: 'orders',
      verb: 'ALTER TABLE',
      effect: { kind: 'other', why: 'changes the key' },
      former: undefined,
      name: 'binlog.000001:50',
      gtid: null,
      isAccepted: true,
      hasPassed: false,
      timeMs: 1,
    };
    gate.handle(statement, HERE);
    expect(flow.state.held).toMatchObject([{ table: 'shop.orders', from: HERE }]);
    expect(gate.hasHeld).toBe(true);
    expect(errors).toEqual([]);
    gate.handle({ ...statement, table: 'items', isAccepted: false }, HERE);
    expect(errors).toHaveLength(1);
  });
});
