/**
 * Shop customers: connections that change the shop's tables in transactions of one to six statements, some rolled back. They
 * insert, update, delete, change primary keys, move orders between users (and so between shards, sometimes there and back
 * within one transaction), hand e-mail addresses from user to user, and use deleted ids again.
 */
import { createConnection, type Connection, type ResultSetHeader } from 'mysql2/promise';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from './random.ts';
import type { ShopSize } from './shop.ts';
import { SHOP_COLUMNS } from './shop.ts';
import { amount, json, note, orderRow, productRow, status, userRow } from './shop-rows.ts';

export interface WorkloadOptions {
  /** URL of the source database. */
  readonly url: string;
  readonly connections: number;
  /** Row changes a second that all connections together aim at. */
  readonly changesPerSecond: number;
  readonly seed: number;
  /** What the tables held when it began. */
  readonly size: ShopSize;
  /** Connect again when the server goes away instead of failing. */
  readonly survivesOutages?: boolean;
}

export interface WorkloadTotals {
  readonly transactions: number;
  readonly rolledBack: number;
  readonly deadlocks: number;
  /** Row changes committed. */
  readonly changes: number;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  readonly moves: number;
  readonly keyChanges: number;
}

type Operation = keyof typeof WEIGHTS;

const WEIGHTS = {
  insertOrder: 26,
  updateOrder: 24,
  updateSeveral: 4,
  deleteOrder: 9,
  replaceOrder: 3,
  moveOrder: 10,
  moveThereAndBack: 3,
  moveSeveral: 2,
  changeKey: 6,
  insertUser: 3,
  updateUser: 5,
  swapEmails: 0.5,
  updateProduct: 3,
} as const;

const ROLLBACK_SHARE = 0.08;
/** ER_LOCK_DEADLOCK, ER_LOCK_WAIT_TIMEOUT. */
const CONFLICTS: ReadonlySet<number> = new Set([1205, 1213]);
const OUTAGE_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT']);
/** ER_SERVER_SHUTDOWN, ER_CONNECTION_KILLED. */
const OUTAGE_NUMBERS: ReadonlySet<number> = new Set([1053, 1927]);

export class Workload {
  readonly #options: WorkloadOptions;
  readonly #totals = {
    transactions: 0,
    rolledBack: 0,
    deadlocks: 0,
    changes: 0,
    inserts: 0,
    updates: 0,
    deletes: 0,
    moves: 0,
    keyChanges: 0,
  };
  #nextOrder: number;
  #nextUser: number;
  #freeOrders: number[] = [];
  #startedMs = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#nextOrder = options.size.orders + 1;
    this.#nextUser = options.size.users + 1;
  }

  get totals(): WorkloadTotals {
    return { ...this.#totals };
  }

  /** Works until the signal aborts; open transactions are finished first. Rejects when a statement fails otherwise. */
  async run(signal: AbortSignal): Promise<WorkloadTotals> {
    this.#startedMs = Date.now();
    const failed = new AbortController();
    const stop = AbortSignal.any([signal, failed.signal]);
    const customers = Array.from({ length: this.#options.connections }, async (_, i) => {
      try {
        await this.#customer(new Random(this.#options.seed * 1_000 + i), stop);
      } catch (error) {
        failed.abort();
        throw error;
      }
    });
    const outcomes = await Promise.allSettled(customers);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    return this.totals;
  }

  async #customer(random: Random, signal: AbortSignal): Promise<void> {
    let connection: Connection | undefined;
    try {
      while (!signal.aborted) {
        try {
          connection ??= await this.#connect();
          await this.#transaction(connection, random);
        } catch (error) {
          connection?.destroy();
          connection = undefined;
          if (this.#options.survivesOutages !== true || !isOutage(error)) throw error;
          await sleep(200);
        }
        await this.#pace(signal);
      }
    } finally {
      await connection?.end().catch(() => connection?.destroy());
    }
  }

  async #connect(): Promise<Connection> {
    const connection = await createConnection({ uri: this.#options.url, timezone: 'Z' });
    // Lost between two transactions: the next statement says so.
    connection.on('error', () => undefined);
    return connection;
  }

  /** Sleeps while all connections together are ahead of the rate. */
  async #pace(signal: AbortSignal): Promise<void> {
    const dueMs = (this.#totals.changes / this.#options.changesPerSecond) * 1_000;
    const aheadMs = dueMs - (Date.now() - this.#startedMs);
    if (aheadMs > 0) await sleep(Math.min(aheadMs, 500), undefined, { signal }).catch(() => undefined);
  }

  async #transaction(connection: Connection, random: Random): Promise<void> {
    const work = new Transaction(connection, random);
    const borrowed: number[] = [];
    try {
      await connection.query('BEGIN');
      for (let left = random.between(1, 6); left > 0; left--) {
        await this.#operate(random.weighted(WEIGHTS), work, random, borrowed);
      }
      if (random.chance(ROLLBACK_SHARE)) {
        await connection.query('ROLLBACK');
        this.#totals.rolledBack += 1;
        this.#freeOrders.push(...borrowed);
        return;
      }
      await connection.query('COMMIT');
    } catch (error) {
      if (!isConflict(error)) throw error;
      await connection.query('ROLLBACK');
      this.#totals.deadlocks += 1;
      this.#freeOrders.push(...borrowed);
      return;
    }
    this.#totals.transactions += 1;
    this.#freeOrders.push(...work.freed);
    for (const name of ['changes', 'inserts', 'updates', 'deletes', 'moves', 'keyChanges'] as const) {
      this.#totals[name] += work.counts[name];
    }
  }

  async #operate(operation: Operation, work: Transaction, random: Random, borrowed: number[]): Promise<void> {
    const { users, products } = this.#options.size;
    const order = (): number => random.between(1, this.#nextOrder - 1);
    const user = (): number => random.between(1, users);
    switch (operation) {
      case 'insertOrder': {
        // A third of the new orders take the id of one that was deleted.
        const old = random.chance(0.33) ? this.#freeOrders.shift() : undefined;
        if (old !== undefined) borrowed.push(old);
        await work.insert('orders', orderRow(random, old ?? this.#nextOrder++, users, products));
        return;
      }
      case 'updateOrder':
        await work.update('UPDATE orders SET status = ?, amount = ?, note = ? WHERE id = ?', [
          status(random),
          amount(random),
          note(random),
          order(),
        ]);
        return;
      case 'updateSeveral': {
        const first = order();
        await work.update('UPDATE orders SET quantity = quantity ^ 1, details = ? WHERE id BETWEEN ? AND ?', [
          json(random),
          first,
          first + 9,
        ]);
        return;
      }
      case 'deleteOrder':
        await work.deleteOrder(order());
        return;
      case 'replaceOrder': {
        const id = order();
        if ((await work.deleteOrder(id)) === 1) {
          work.keep(id);
          await work.insert('orders', orderRow(random, id, users, products));
        }
        return;
      }
      case 'moveOrder':
        await work.move('UPDATE orders SET user_id = ? WHERE id = ?', [user(), order()]);
        return;
      case 'moveThereAndBack': {
        const id = order();
        for (const step of [1, 1, -2]) {
          await work.move('UPDATE orders SET user_id = user_id + ? WHERE id = ? AND user_id > 2', [step, id]);
        }
        return;
      }
      case 'moveSeveral': {
        const first = order();
        await work.move('UPDATE orders SET user_id = user_id + 1 WHERE id BETWEEN ? AND ?', [
          first,
          first + 9,
        ]);
        return;
      }
      case 'changeKey':
        await work.changeKey(order(), this.#nextOrder++);
        return;
      case 'insertUser':
        await work.insert('users', userRow(random, this.#nextUser++));
        return;
      case 'updateUser':
        await work.update('UPDATE users SET balance = balance + ?, settings = ? WHERE id = ?', [
          amount(random).slice(0, 6),
          json(random),
          user(),
        ]);
        return;
      case 'swapEmails':
        await work.swapEmails(user(), user());
        return;
      case 'updateProduct': {
        const [id, , title, price, weight] = productRow(random, random.between(1, products));
        await work.update('UPDATE products SET title = ?, price = ?, weight = ? WHERE id = ?', [
          title,
          price,
          weight,
          id,
        ]);
        return;
      }
    }
  }
}

/** The statements of one transaction and what they changed. */
class Transaction {
  readonly #connection: Connection;
  readonly #random: Random;
  readonly counts = { changes: 0, inserts: 0, updates: 0, deletes: 0, moves: 0, keyChanges: 0 };
  /** Ids that are free once it commits. */
  freed: number[] = [];

  constructor(connection: Connection, random: Random) {
    this.#connection = connection;
    this.#random = random;
  }

  async insert(table: 'users' | 'orders', row: readonly unknown[]): Promise<void> {
    this.counts.inserts += await this.#change(`INSERT INTO ${table} (${SHOP_COLUMNS[table]}) VALUES (?)`, [
      row,
    ]);
  }

  async update(sql: string, values: readonly unknown[]): Promise<void> {
    this.counts.updates += await this.#change(sql, values);
  }

  async move(sql: string, values: readonly unknown[]): Promise<void> {
    this.counts.moves += await this.#change(sql, values);
  }

  async deleteOrder(id: number): Promise<number> {
    const deleted = await this.#change('DELETE FROM orders WHERE id = ?', [id]);
    this.counts.deletes += deleted;
    if (deleted === 1) this.freed.push(id);
    return deleted;
  }

  keep(id: number): void {
    this.freed = this.freed.filter((freed) => freed !== id);
  }

  async changeKey(from: number, to: number): Promise<void> {
    const changed = await this.#change('UPDATE orders SET id = ? WHERE id = ?', [to, from]);
    this.counts.keyChanges += changed;
    if (changed === 1) this.freed.push(from);
  }

  /** By way of a third address, as a unique key demands; locked in the order of ids, or two swaps would deadlock. */
  async swapEmails(a: number, b: number): Promise<void> {
    if (a === b) return;
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    const [rows] = await this.#connection.query(
      'SELECT id, email FROM users WHERE id IN (?, ?) ORDER BY id FOR UPDATE',
      [low, high],
    );
    const [first, second] = rows as { email: string }[];
    if (first === undefined || second === undefined) return;
    const passing = `passing-${this.#random.between(0, 2 ** 31)}-${low}@example.com`;
    await this.update('UPDATE users SET email = ? WHERE id = ?', [passing, low]);
    await this.update('UPDATE users SET email = ? WHERE id = ?', [first.email, high]);
    await this.update('UPDATE users SET email = ? WHERE id = ?', [second.email, low]);
  }

  async #change(sql: string, values: readonly unknown[]): Promise<number> {
    const [{ affectedRows, info }] = await this.#connection.query<ResultSetHeader>(sql, [...values]);
    // An UPDATE that finds the row as it should be writes nothing to the binlog.
    const changed = /Changed: (\d+)/.exec(info)?.[1];
    const rows = changed === undefined ? affectedRows : Number(changed);
    this.counts.changes += rows;
    return rows;
  }
}

function isConflict(error: unknown): boolean {
  return CONFLICTS.has((error as { readonly errno?: number }).errno ?? 0);
}

/** The server went away, is starting, or ends our session. */
function isOutage(error: unknown): boolean {
  const {
    code = '',
    errno = 0,
    fatal,
  } = error as {
    readonly code?: string;
    readonly errno?: number;
    /** How mysql2 marks what ended the connection, some of it without a code. */
    readonly fatal?: boolean;
  };
  return fatal === true || OUTAGE_CODES.has(code) || OUTAGE_NUMBERS.has(errno);
}
