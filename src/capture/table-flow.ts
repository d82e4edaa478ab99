/**
 * Which captured tables flow. A statement that must not pass holds its table: from there on its changes are read and left out,
 * while all others go on (the unit of a stop is the table).
 *
 *     flows ──a statement that must not pass──> held ──rowferry ddl ack──> behind ──reader is where it had been──> flows
 *
 * After the acknowledgement the capture goes back to the statement under a new epoch (C3) and publishes what was left out, and
 * nothing else until it is where it had been: no change is published twice, and no target shows the past of another table.
 *
 * The state is part of each saved point. The rules are pure; `TableFlow` keeps the state of a running capture.
 */
import type { Position } from '../model/position.ts';
import type { Acknowledgements, StatementPlace } from './acknowledgements.ts';
import { comparePlace, isEarlier } from '../model/position-order.ts';

export interface HeldTable {
  /** `schema.table`, or `schema.*` for all of a schema. */
  readonly table: string;
  /** `file:end position` of the statement: how an operator names it. */
  readonly statement: string;
  /** The statement's transaction, by which another server knows it. */
  readonly gtid: string | null;
  /** What it does, without values: `ALTER TABLE drops a column`. */
  readonly why: string;
  /** The last place between transactions before it: what comes after is still to be published. */
  readonly from: Position;
  readonly sinceMs: number;
  /**
   * A rows event of a table without a key holds it: what stands before that event was published, even of its own transaction,
   * and must not be again; a copy lets the table go as well.
   */
  readonly isKeyless?: true;
}

/** A table without a key of which rows were published. */
interface KeylessRows {
  /** The epoch in which each row that was read is published once. */
  readonly epoch: number;
  /** All that the targets hold of it is rowferry's. */
  readonly isOurs: boolean;
}

/** The reader went back; it has already been at `until`. */
interface CatchUp {
  readonly until: Position;
  /** Tables of which less was published, by their held name: up to where. */
  readonly behind: Readonly<Record<string, Position>>;
}

export interface FlowState {
  readonly held: readonly HeldTable[];
  readonly catchUp: CatchUp | null;
  /** Statements whose tables were let go, and which are read once more: GTIDs, or `server place` of those without one. */
  readonly passed: readonly string[];
  /**
   * By table, the character sets of columns that a statement changed without naming one: the rows that follow must have the same
   * (`assembler.ts`). Absent when there are none.
   */
  readonly charsets?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** By `schema.table`; absent while there is none. */
  readonly keyless?: Readonly<Record<string, KeylessRows>>;
}

export const ALL_FLOW: FlowState = { held: [], catchUp: null, passed: [] };

/** So many are kept. One that is forgotten holds its table once more, and is known as acknowledged. */
const REMEMBERED = 100;

export class TableFlow {
  #state: FlowState;

  constructor(state: FlowState) {
    this.#state = state;
  }

  get state(): FlowState {
    return this.#state;
  }

  /** Whether what ends at this place is still to be published for a table (`schema.table`, or `schema.*`). */
  passes(table: string, place: { readonly file: string; readonly offset: number }): boolean {
    const { held, catchUp } = this.#state;
    if (held.length === 0 && catchUp === null) return true;
    if (this.holds(table)) return false;
    if (catchUp === null) return true;
    const behind = Object.entries(catchUp.behind).filter(([name]) => covers(name, table));
    const from = behind.length === 0 ? catchUp.until : earliest(behind.map(([, position]) => position));
    return comparePlace(place, from) > 0;
  }

  /** Whether a table waits for an operator. */
  holds(table: string): boolean {
    return this.#state.held.some((entry) => covers(entry.table, table));
  }

  /** Whether a table must not be copied before `rowferry ddl ack`: a table without a key may be, that is its way on. */
  holdsCopy(table: string): boolean {
    return this.#state.held.some((entry) => entry.isKeyless !== true && covers(entry.table, table));
  }

  /** A table without a key is copied: what held it before lies behind. */
  letGo(table: string): void {
    const held = this.#state.held.filter((entry) => entry.isKeyless !== true || entry.table !== table);
    this.#state = { ...this.#state, held };
  }

  admit(table: string, rows: KeylessRows): void {
    this.#state = { ...this.#state, keyless: { ...this.#state.keyless, [table]: rows } };
  }

  /** It has a key now. */
  forget(table: string): void {
    const { [table]: _, ...keyless } = this.#state.keyless ?? {};
    this.#state = { ...this.#state, keyless };
  }

  /** Whether a table that waited for this statement was let go: it is read once more, and must not hold it again. */
  hasPassed(place: StatementPlace): boolean {
    return this.#state.passed.includes(passedName(place));
  }

  /** The statements that hold a table and are acknowledged. */
  freedBy(accepted: Acknowledgements): ReadonlySet<string> {
    const { held } = this.#state;
    // After a failover one place may name statements of two servers.
    const open = new Set(
      held.filter((entry) => accepted.ofHeld(entry) === undefined).map(({ statement }) => statement),
    );
    return new Set(held.map(({ statement }) => statement).filter((statement) => !open.has(statement)));
  }

  hold(table: HeldTable): void {
    this.#state = { ...this.#state, held: [...this.#state.held, table] };
  }

  /** What the rows of a table that come next must have, by column. */
  charsetsOf(table: string): Readonly<Record<string, string>> {
    return this.#state.charsets?.[table] ?? {};
  }

  /** To be kept until its next row: a restart in between knows of no shape that came before. */
  remember(table: string, charsets: Readonly<Record<string, string>>): void {
    if (Object.keys(charsets).length === 0) return;
    const all = { ...this.#state.charsets, [table]: { ...charsets, ...this.charsetsOf(table) } };
    this.#state = { ...this.#state, charsets: all };
  }

  forgetCharsets(table: string): void {
    if (this.#state.charsets?.[table] === undefined) return;
    const { charsets: { [table]: _, ...rest } = {}, ...state } = this.#state;
    this.#state = Object.keys(rest).length === 0 ? state : { ...state, charsets: rest };
  }

  /** A transaction ended here; true when that is where the reader had been. */
  reached(place: { readonly file: string; readonly offset: number }): boolean {
    const { catchUp } = this.#state;
    if (catchUp === null || comparePlace(place, catchUp.until) < 0) return false;
    this.#state = { ...this.#state, catchUp: null };
    return true;
  }
}

/**
 * What these statements let go: from where to read, and the state to read with. Undefined when none of them holds a table.
 */
export function release(
  state: FlowState,
  at: Position,
  released: ReadonlySet<string>,
): { readonly start: Position; readonly state: FlowState } | undefined {
  const freed = state.held.filter(({ statement }) => released.has(statement));
  if (freed.length === 0) return undefined;
  const held = state.held.filter(({ statement }) => !released.has(statement));
  const names = freed.map(({ gtid, statement, from }) =>
    passedName({ gtid, statement, server: from.server }),
  );
  const passed = [...state.passed, ...names].slice(-REMEMBERED);
  const start = earliest([...freed.map(({ from }) => from), at]);
  // Places on another server cannot be compared with those that follow: everything is published again from the start.
  const comparable = [start, ...freed.map(({ from }) => from)].every(({ server }) => server === at.server);
  if (!comparable) return { start, state: again({ ...state, held }) };
  const until = state.catchUp === null ? at : latest(at, state.catchUp.until);
  const behind: Record<string, Position> = {};
  for (const [table, from] of Object.entries(state.catchUp?.behind ?? {})) behind[table] = latest(from, at);
  for (const entry of freed) {
    const { table } = entry;
    const from = publishedUntil(entry);
    behind[table] = behind[table] === undefined ? from : earliest([from, behind[table]]);
  }
  return { start, state: { ...state, held, catchUp: { until, behind }, passed } };
}

function passedName({ server, statement, gtid }: StatementPlace): string {
  return gtid ?? `${server} ${statement}`;
}

/** The event that held a table without a key is not published either: an operator has made its change. */
function publishedUntil({ from, statement, isKeyless }: HeldTable): Position {
  const [, file, end] = /^(.*):(\d+)$/.exec(statement) ?? [];
  return isKeyless !== true || file === undefined ? from : { ...from, file, offset: Number(end) };
}

/** The state for the epoch that follows `epoch`, in which what was published is known to the row, and left out. */
export function inNextEpoch(state: FlowState, epoch: number): FlowState {
  if (state.keyless === undefined) return state;
  const keyless = Object.entries(state.keyless).map(([table, rows]) => [
    table,
    rows.epoch === epoch ? { ...rows, epoch: epoch + 1 } : rows,
  ]);
  return { ...state, keyless: Object.fromEntries(keyless) as Record<string, KeylessRows> };
}

/** The state for a reader that goes back to `start` by an operator's wish, and publishes everything from there. */
export function rewind(state: FlowState, start: Position): FlowState {
  // Where nothing tells which comes first (a place of another server) the statement may not come again: the table stays held.
  const held = state.held.filter(({ from }) => !isAtOrBefore(start, from));
  return again({ ...state, held });
}

/**
 * The state for a reader that publishes all tables from its start on: statements that passed come again with rows before them,
 * and hold their tables until the targets have these (`schema-policy.ts`).
 */
export function again(state: FlowState): FlowState {
  return { ...state, catchUp: null, passed: [] };
}

/** Spelling does not tell two tables apart here: to hold one too many is safe. */
export function covers(held: string, table: string): boolean {
  const name = held.toLowerCase();
  const wanted = table.toLowerCase();
  return name === wanted || (name.endsWith('.*') && wanted.startsWith(name.slice(0, -1)));
}

function isAtOrBefore(start: Position, from: Position): boolean {
  if (isEarlier(start, from)) return true;
  const isOnePlace = start.server === from.server && comparePlace(start, from) === 0;
  return (isOnePlace && start.offset !== 4) || (start.gtid !== undefined && start.gtid === from.gtid);
}

function earliest(positions: readonly Position[]): Position {
  return positions.reduce((least, position) => (isEarlier(position, least) ? position : least));
}

function latest(one: Position, other: Position): Position {
  return isEarlier(one, other) ? other : one;
}
