/**
 * Customers who move orders between shards in every way: to another target, to another table there, both at once, there and
 * back in one transaction, together with a new primary key. They delete, insert again and roll back, too.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolConnection, ResultSetHeader } from 'mysql2/promise';
import { Random } from '../../scripts/lib/random.ts';
import type { SourceDatabase } from './pipeline.ts';

/** The orders of sources hold disjoint ids: those of source i are i more than a multiple of this. */
export const ID_STEP = 2;
/** Users count from each of these; doubles cannot tell the last ones apart. */
const FIRST_USERS = [0n, 2n ** 32n, 2n ** 53n] as const;
/** As many as two levels of 64 slots tell apart. */
const USERS = 4_096;
const SUPPLIERS = 40;

const WEIGHTS = {
  insert: 26,
  update: 14,
  remove: 8,
  replace: 6,
  moveTarget: 10,
  moveTable: 10,
  moveBoth: 8,
  moveThereAndBack: 4,
  moveSeveral: 3,
  changeSupplier: 5,
  moveWithKey: 10,
} as const;
type Operation = keyof typeof WEIGHTS;
const OPERATIONS = Object.keys(WEIGHTS) as Operation[];

/** ER_DUP_ENTRY (two customers took one id), ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK. */
const CONFLICTS: ReadonlySet<number> = new Set([1062, 1205, 1213]);

export const ORDERS = `CREATE TABLE orders (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  user_id BIGINT UNSIGNED NOT NULL,
  supplier_id INT NOT NULL,
  amount DECIMAL(12,2) NOT NULL,
  note VARCHAR(80) NULL,
  placed_at DATETIME(6) NOT NULL
) DEFAULT CHARSET = utf8mb4`;

/** The same for a target: another name, the types of the engine, and more columns. */
export function ordersTable(name: string, isPostgres: boolean, more = ''): string {
  const types = isPostgres
    ? ['NUMERIC(20)', 'NUMERIC(20)', 'INTEGER', 'NUMERIC(12,2)', 'TEXT', 'TIMESTAMP(6)']
    : ['BIGINT UNSIGNED', 'BIGINT UNSIGNED', 'INT', 'DECIMAL(12,2)', 'VARCHAR(80)', 'DATETIME(6)'];
  const names = ['id', 'user_id', 'supplier_id', 'amount', 'note', 'placed_at'];
  const columns = names.map((column, i) => `${column} ${types[i]}`).join(', ');
  return `CREATE TABLE ${name} (${columns}${more}, PRIMARY KEY (id))${isPostgres ? '' : ' DEFAULT CHARSET = utf8mb4'}`;
}

/** Moves an order by so many users, modulo a number of them: its new user stays among the same that many. */
type Shift = readonly [by: number, modulus: number];

/** How users of the sources are numbered, and which of their orders' moves mean what. */
export interface OrderHabits {
  readonly toTarget: Shift;
  readonly toTable: Shift;
  readonly toBoth: Shift;
  /** Users of one source are so far apart; with 1 the sources share them. */
  readonly userStep: number;
}

/** Of 64 x 64 slots, the high ones decide the target and the low ones the table, sixteen each. */
const TWO_LEVELS: OrderHabits = {
  toTarget: [1_024, 4_096],
  toTable: [16, 64],
  toBoth: [1_040, 4_096],
  userStep: 1,
};

function shifted([by, modulus]: Shift): string {
  return `user_id - user_id % ${modulus} + (user_id + ${by}) % ${modulus}`;
}

const back = ([by, modulus]: Shift): Shift => [modulus - by, modulus];

export class OrderLoad {
  readonly #source: SourceDatabase;
  readonly #remainder: number;
  readonly #seed: number;
  readonly #habits: OrderHabits;
  readonly #counts = new Map<Operation, number>();
  #next = 1;

  constructor(source: SourceDatabase, remainder: number, seed: number, habits = TWO_LEVELS) {
    this.#source = source;
    this.#habits = habits;
    this.#remainder = remainder;
    this.#seed = seed;
  }

  /** Row changes committed by kind. */
  get counts(): Readonly<Record<Operation, number>> {
    return Object.fromEntries(OPERATIONS.map((name) => [name, this.#counts.get(name) ?? 0])) as Record<
      Operation,
      number
    >;
  }

  async fill(rows: number): Promise<void> {
    const random = new Random(this.#seed);
    const values = Array.from({ length: rows }, () => this.#row(random, this.#newId()));
    await this.#source.pool.query(`INSERT INTO orders VALUES ?`, [values]);
  }

  /** Two customers work until the signal aborts. Rejects when a statement fails otherwise than by a conflict. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([1, 2].map(async (i) => await this.#customer(new Random(this.#seed + i), signal)));
  }

  async #customer(random: Random, signal: AbortSignal): Promise<void> {
    const connection = await this.#source.pool.getConnection();
    try {
      while (!signal.aborted) {
        await this.#transaction(connection, random);
        await sleep(random.between(0, 8));
      }
    } finally {
      connection.release();
    }
  }

  async #transaction(connection: PoolConnection, random: Random): Promise<void> {
    const done: [Operation, number][] = [];
    try {
      await connection.query('BEGIN');
      for (let left = random.between(1, 4); left > 0; left--) {
        const operation = random.weighted(WEIGHTS);
        for (const [sql, values] of this.#statements(operation, random)) {
          const [{ affectedRows }] = await connection.query<ResultSetHeader>(sql, [...values]);
          done.push([operation, affectedRows]);
        }
      }
      await connection.query(random.chance(0.05) ? 'ROLLBACK' : 'COMMIT');
    } catch (error) {
      if (!CONFLICTS.has((error as { errno?: number }).errno ?? 0)) throw error;
      await connection.query('ROLLBACK');
      return;
    }
    for (const [name, rows] of done) this.#counts.set(name, (this.#counts.get(name) ?? 0) + rows);
  }

  #statements(operation: Operation, random: Random): (readonly [string, readonly unknown[]])[] {
    const id = this.#anyId(random);
    const { toTarget, toTable, toBoth } = this.#habits;
    const move = (shift: Shift): readonly [string, readonly unknown[]] => [
      `UPDATE orders SET user_id = ${shifted(shift)} WHERE id = ?`,
      [id],
    ];
    const remove = ['DELETE FROM orders WHERE id = ?', [id]] as const;
    switch (operation) {
      case 'insert':
        return [['INSERT INTO orders VALUES (?)', [this.#row(random, this.#newId())]]];
      case 'update':
        return [['UPDATE orders SET amount = amount + 1, note = ? WHERE id = ?', [note(random), id]]];
      case 'remove':
        return [remove];
      case 'replace':
        return [remove, ['INSERT INTO orders VALUES (?)', [this.#row(random, id)]]];
      case 'moveTarget':
        return [move(toTarget)];
      case 'moveTable':
        return [move(toTable)];
      case 'moveBoth':
        return [move(toBoth)];
      case 'moveThereAndBack':
        return [move(toTarget), move(toTable), move(back(toTable)), move(back(toTarget))];
      case 'moveSeveral':
        return [
          [
            `UPDATE orders SET user_id = ${shifted(toBoth)} WHERE id BETWEEN ? AND ?`,
            [id, id + 10 * ID_STEP],
          ],
        ];
      case 'changeSupplier':
        return [['UPDATE orders SET supplier_id = ? WHERE id = ?', [random.between(1, SUPPLIERS), id]]];
      case 'moveWithKey': {
        // Half of them to an id that somebody may have, or had, so that keys are used again.
        const to = random.chance(0.5) ? this.#anyId(random) : this.#newId();
        return [
          ['DELETE FROM orders WHERE id = ? AND id <> ?', [to, id]],
          [`UPDATE orders SET id = ?, user_id = ${shifted(toBoth)} WHERE id = ?`, [to, id]],
        ];
      }
    }
  }

  #newId(): number {
    return this.#next++ * ID_STEP + this.#remainder;
  }

  #anyId(random: Random): number {
    return random.between(1, this.#next - 1) * ID_STEP + this.#remainder;
  }

  #row(random: Random, id: number): readonly unknown[] {
    const { userStep } = this.#habits;
    const number = random.between(0, USERS / userStep - 1) * userStep + (this.#remainder % userStep);
    const user = random.pick(FIRST_USERS) + BigInt(number);
    const placed = `2026-0${random.between(1, 9)}-11 10:11:12.${random.between(100_000, 999_999)}`;
    return [
      id,
      String(user),
      random.between(1, SUPPLIERS),
      `${random.between(0, 9_999)}.5`,
      note(random),
      placed,
    ];
  }
}

function note(random: Random): string | null {
  return random.chance(0.2) ? null : random.pick(['', 'tea', 'Käse 🧀', "it's \\ here", '寿司']);
}
