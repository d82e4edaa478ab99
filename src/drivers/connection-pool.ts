/** A bounded pool of database connections, the same for both engines. */
import { RowferryError } from '../errors.ts';

export interface PooledConnection {
  /** False once the link failed: such a connection is never handed out again. */
  readonly isUsable: boolean;
  /** Says goodbye to the server. Never rejects. */
  close(): Promise<void>;
  /** Cuts the link at once; what the server was doing is rolled back there when it notices. */
  destroy(): void;
}

interface ConnectionPoolOptions<C> {
  readonly size: number;
  readonly connect: () => Promise<C>;
  /** A connection that lay idle longer is replaced: servers and firewalls drop those, without always saying so. */
  readonly maxIdleMs: number;
}

interface Waiter<C> {
  readonly resolve: (connection: C) => void;
  readonly reject: (reason: unknown) => void;
}

export class ConnectionPool<C extends PooledConnection> {
  readonly #options: ConnectionPoolOptions<C>;
  readonly #idle: { readonly connection: C; readonly since: number }[] = [];
  readonly #busy = new Set<C>();
  readonly #waiting: Waiter<C>[] = [];
  #opening = 0;
  #closed = false;

  constructor(options: ConnectionPoolOptions<C>) {
    this.#options = options;
  }

  /** Lends a connection, opens one, or waits for one to come back, first come first served. */
  async acquire(): Promise<C> {
    if (this.#closed) throw closedError();
    for (;;) {
      const idle = this.#idle.pop();
      if (idle === undefined) break;
      if (idle.connection.isUsable && Date.now() - idle.since <= this.#options.maxIdleMs) {
        this.#busy.add(idle.connection);
        return idle.connection;
      }
      void idle.connection.close();
    }
    if (this.#busy.size + this.#opening < this.#options.size) return this.#open();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Takes a connection back. Whoever leaves a transaction open in it destroys it first. */
  release(connection: C): void {
    if (!this.#busy.delete(connection)) return;
    if (this.#closed || !connection.isUsable) {
      if (connection.isUsable) void connection.close();
      else connection.destroy();
      this.#serveByOpening();
      return;
    }
    const waiter = this.#waiting.shift();
    if (waiter === undefined) {
      this.#idle.push({ connection, since: Date.now() });
    } else {
      this.#busy.add(connection);
      waiter.resolve(connection);
    }
  }

  /** Whoever borrows next gets a new connection. */
  dropIdle(): void {
    for (const { connection } of this.#idle.splice(0)) void connection.close();
  }

  /** Closes what is idle, refuses whoever waits; lent connections are closed as they come back. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(closedError());
    await Promise.all(this.#idle.splice(0).map(({ connection }) => connection.close()));
  }

  async #open(): Promise<C> {
    this.#opening++;
    try {
      const connection = await this.#options.connect();
      if (this.#closed) {
        await connection.close();
        throw closedError();
      }
      this.#busy.add(connection);
      return connection;
    } catch (error) {
      // A place came free without a connection coming back: whoever waits must try for itself, or it would wait for ever.
      queueMicrotask(() => this.#serveByOpening());
      throw error;
    } finally {
      this.#opening--;
    }
  }

  #serveByOpening(): void {
    if (this.#busy.size + this.#opening >= this.#options.size) return;
    const waiter = this.#waiting.shift();
    if (waiter === undefined) return;
    this.#open().then(waiter.resolve, waiter.reject);
  }
}

function closedError(): RowferryError {
  // Not the server's doing, and nothing that trying again could change.
  return new RowferryError('ROWFERRY_INVARIANT', 'the connections to this database are closed');
}
