import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowState } from '../../../src/capture/table-flow.ts';
import { ALL_FLOW, release, rewind, TableFlow } from '../../../src/capture/table-flow.ts';
import type { Position } from '../../../src/model/position.ts';

const at = (offset: number, file = 'binlog.000001'): Position => ({ server: 's1', file, offset });
const held = (table: string, offset: number) => ({
  table,
  statement: `binlog.000001:${offset}`,
  gtid: `u:${offset}`,
  why: 'ALTER TABLE drops a column',
  from: at(offset - 1),
  sinceMs: 0,
});

describe('tables that flow', () => {
  it('a held table is left out, whatever its spelling; a schema holds all its tables', () => {
    const flow = new TableFlow(ALL_FLOW);
    flow.hold(held('shop.orders', 10));
    flow.hold(held('crm.*', 20));
    expect(flow.passes('shop.items', at(30))).toBe(true);
    for (const name of ['shop.orders', 'Shop.Orders', 'crm.users', 'crm.*'])
      expect(flow.passes(name, at(30))).toBe(false);
    expect(flow.passes('crmx.users', at(30))).toBe(true);
  });

  it('goes back to the statement for the released table alone', () => {
    const flow = new TableFlow(ALL_FLOW);
    flow.hold(held('shop.orders', 10));
    const released = release(flow.state, at(100), new Set(['binlog.000001:10']))!;
    expect(released.start).toEqual(at(9));
    const behind = new TableFlow(released.state);
    expect(behind.passes('shop.orders', at(10))).toBe(true);
    expect(behind.passes('shop.items', at(100))).toBe(false);
    expect(behind.passes('shop.items', at(101))).toBe(true);
    expect(behind.passes('shop.items', at(4, 'binlog.000002'))).toBe(true);
    expect(behind.reached(at(99))).toBe(false);
    expect(behind.reached(at(100))).toBe(true);
    expect(behind.state).toEqual({ held: [], catchUp: null, passed: ['u:10'] });
  });

  it('publishes everything again where places cannot be compared: after a failover', () => {
    const flow = new TableFlow(ALL_FLOW);
    flow.hold({
      ...held('shop.orders', 10),
      from: { ...at(9), gtid: 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-9' },
    });
    const now = {
      server: 's2',
      file: 'other.000001',
      offset: 50,
      gtid: 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-30',
    };
    const released = release(flow.state, now, new Set(['binlog.000001:10']))!;
    expect(released.start.gtid).toBe('aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-9');
    expect(released.state.catchUp).toBeNull();
    // With the rows before it the statement comes again, and its table waits once more until the targets have these.
    expect(released.state.passed).toEqual([]);
  });

  it('an operator who goes back behind the statement meets it again; one who does not keeps the table held', () => {
    const flow = new TableFlow(ALL_FLOW);
    flow.hold(held('shop.orders', 10));
    expect(rewind(flow.state, at(5)).held).toEqual([]);
    expect(rewind(flow.state, at(9)).held).toEqual([]);
    expect(rewind(flow.state, at(50)).held).toHaveLength(1);
  });

  it('stays held where nothing tells whether the statement comes again: its table would flow without it', () => {
    const source = 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa';
    const other = 'bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb';
    const flow = new TableFlow(ALL_FLOW);
    flow.hold({ ...held('shop.orders', 10), from: { ...at(9), gtid: `${source}:1-9,${other}:1-5` } });
    // By file and offset on the server that took over; by GTIDs that hold the statement but lack something older.
    expect(rewind(flow.state, { server: 's2', file: 'other.000001', offset: 50 }).held).toHaveLength(1);
    expect(rewind(flow.state, { ...at(4), gtid: `${source}:1-12` }).held).toHaveLength(1);
    expect(rewind(flow.state, { ...at(4), gtid: `${source}:1-9,${other}:1-5` }).held).toEqual([]);
    expect(rewind(flow.state, { ...at(4), gtid: `${source}:1-8` }).held).toEqual([]);
  });
});

/**
 * A capture over a binlog of rows and statements, with crashes, acknowledgements and restarts in any order, and a partition that
 * drops what it has seen (I-3).
 *
 * Events stand at places 1, 2, 3 …; each is a transaction of its own.
 */
interface Event {
  readonly table: string;
  readonly isStatement: boolean;
}

class Model {
  readonly #log: readonly Event[];
  readonly #accepted = new Set<string>();
  #saved: { readonly position: Position; readonly flow: FlowState } = { position: at(0), flow: ALL_FLOW };
  #epoch = 1;
  #read = 0;
  #flow = new TableFlow(ALL_FLOW);
  #newest = { epoch: 0, place: 0 };
  /** What the target took, by table. */
  readonly taken = new Map<string, number[]>();

  constructor(log: readonly Event[]) {
    this.#log = log;
  }

  get isDone(): boolean {
    const { held, catchUp } = this.#flow.state;
    return this.#read === this.#log.length && held.length === 0 && catchUp === null;
  }

  step(): void {
    const event = this.#log[this.#read];
    if (event === undefined) return;
    const place = at(this.#read + 1);
    const flows = this.#flow.passes(event.table, place);
    const statement = { server: 's1', statement: `binlog.000001:${place.offset}`, gtid: `u:${place.offset}` };
    const isHeld = flows && event.isStatement && !this.#flow.hasPassed(statement);
    if (isHeld) this.#flow.hold({ ...held(event.table, place.offset), from: at(this.#read) });
    if (flows && !event.isStatement) this.#publish(event.table, place.offset);
    this.#read++;
    this.#flow.reached(at(this.#read));
    // Before anything that follows: an acknowledgement and a crash would let rows pass that stand before published ones.
    if (isHeld) this.save();
  }

  save(): void {
    this.#saved = { position: at(this.#read), flow: this.#flow.state };
  }

  /** Goes on from the saved point, and publishes again what came after it under the same names. */
  crash(): void {
    this.#read = this.#saved.position.offset;
    this.#flow = new TableFlow(this.#saved.flow);
  }

  acknowledge(index: number): void {
    const { held } = this.#flow.state;
    const found = held[index % Math.max(1, held.length)];
    if (found !== undefined) this.#accepted.add(found.statement);
  }

  /** As a capture does it: at the end of what was ever read, with everything saved. */
  release(): void {
    if (this.#read < this.#furthest) return;
    this.save();
    const released = release(this.#saved.flow, this.#saved.position, this.#accepted);
    if (released === undefined) return;
    this.#epoch++;
    this.#saved = { position: released.start, flow: released.state };
    this.crash();
  }

  #furthest = 0;

  #publish(table: string, place: number): void {
    this.#furthest = Math.max(this.#furthest, place);
    const isNew =
      this.#epoch > this.#newest.epoch || (this.#epoch === this.#newest.epoch && place > this.#newest.place);
    if (!isNew) return;
    this.#newest = { epoch: this.#epoch, place };
    this.taken.set(table, [...(this.taken.get(table) ?? []), place]);
  }
}

const TABLES = ['shop.a', 'shop.b', 'shop.c'];
const event = fc.record({
  table: fc.constantFrom(...TABLES),
  isStatement: fc.boolean().map((rare) => rare),
});
const action = fc.oneof(
  { weight: 8, arbitrary: fc.constant('step' as const) },
  { weight: 2, arbitrary: fc.constant('save' as const) },
  { weight: 1, arbitrary: fc.constant('crash' as const) },
  { weight: 2, arbitrary: fc.constant('release' as const) },
  { weight: 2, arbitrary: fc.nat(5) },
);

describe('a capture with held tables', () => {
  it('publishes each row of each table once and in order, whatever is held, acknowledged or killed', () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 30 }),
        fc.array(action, { maxLength: 120 }),
        (log, actions) => {
          const model = new Model(log);
          for (const what of actions) {
            if (typeof what === 'number') model.acknowledge(what);
            else model[what]();
          }
          for (let i = 0; i < 5_000 && !model.isDone; i++) {
            model.step();
            model.acknowledge(i);
            model.release();
          }
          expect(model.isDone).toBe(true);
          for (const table of TABLES) {
            const rows = log.flatMap((e, i) => (e.table === table && !e.isStatement ? [i + 1] : []));
            expect(model.taken.get(table) ?? []).toEqual(rows);
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
