import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

/**
 * What happens to the next COMMIT on its way to the server:
 * - `lost`: it never arrives; both ends see the link cut.
 * - `unanswered`: the server carries it out and its answer is lost.
 * - `late`: the client sees the link cut at once, the server gets the COMMIT only when `deliverLate` is called. Statements
 *   that travel in one packet with it are let through before.
 * - `stray`: like `late`, but all of the COMMIT's packet is held back.
 */
export type CommitFault = 'lost' | 'unanswered' | 'late' | 'stray';

/** A TCP proxy in front of one database that puts one fault on the next COMMIT (MySQL and PostgreSQL, without TLS). */
export class CommitProxy {
  readonly host = '127.0.0.1';
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  #armed: CommitFault | undefined;
  #late: (() => void)[] = [];
  #onLateAnswer: (() => void) | undefined;
  #roundTrips = 0;
  #skip = 0;
  #met = 0;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#listener = createServer((client) => this.#open(client, target));
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<CommitProxy> {
    const proxy = new CommitProxy(target);
    proxy.#listener.listen(0, proxy.host);
    await once(proxy.#listener, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** How often a client spoke again after the server had. */
  get roundTrips(): number {
    return this.#roundTrips;
  }

  /** How many COMMITs met their fault. */
  get met(): number {
    return this.#met;
  }

  through(url: string): string {
    const proxied = new URL(url);
    proxied.host = `${this.host}:${this.port}`;
    return proxied.href;
  }

  /** Puts the fault on the next COMMIT, or on a later one. */
  arm(fault: CommitFault, options: { readonly skip?: number } = {}): void {
    this.#armed = fault;
    this.#skip = options.skip ?? 0;
  }

  /** Resolves when the server has answered to something after its client was cut off. */
  lateAnswer(): Promise<void> {
    return new Promise((resolve) => {
      this.#onLateAnswer = resolve;
    });
  }

  deliverLate(): void {
    for (const deliver of this.#late.splice(0)) deliver();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#listener, 'close');
    this.#listener.close();
    await closed;
  }

  #open(client: Socket, target: { readonly host: string; readonly port: number }): void {
    const server = connect({ ...target, noDelay: true });
    client.setNoDelay(true);
    let isCut = false;
    let awaitsAnswer = false;
    let answered = '';
    let isMysql = false;
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        if (!isCut) for (const other of [client, server]) other.destroy();
      });
    }
    const cutClient = (): void => {
      isCut = true;
      client.resetAndDestroy();
    };
    let serverSpoke = true;
    client.on('data', (chunk: Buffer) => {
      if (serverSpoke) this.#roundTrips++;
      serverSpoke = false;
      const start = this.#armed === undefined ? -1 : commitStart(chunk);
      if (start < 0 || this.#skip-- > 0) {
        server.write(chunk);
        return;
      }
      const fault = this.#armed;
      this.#armed = undefined;
      this.#met++;
      server.write(chunk.subarray(0, start));
      let commit: Buffer = Buffer.from(chunk.subarray(start));
      if (fault === 'late' && commit[4] === COM_QUERY) {
        const [before, alone] = splitScript(commit);
        if (before !== undefined) server.write(before);
        commit = alone;
      }
      if (fault === 'lost') {
        cutClient();
        server.resetAndDestroy();
      } else if (fault === 'late' || fault === 'stray') {
        this.#late.push(() => server.write(commit));
        cutClient();
      } else {
        awaitsAnswer = true;
        isMysql = commit[4] === COM_QUERY;
        server.write(commit);
      }
    });
    server.on('data', (chunk: Buffer) => {
      serverSpoke = true;
      if (isCut) {
        this.#onLateAnswer?.();
        return;
      }
      if (!awaitsAnswer) {
        client.write(chunk);
        return;
      }
      answered += chunk.toString('latin1');
      // PostgreSQL answers each statement of a pipeline, the COMMIT last; MySQL has nothing else to answer.
      if (!isMysql && !answered.includes('COMMIT\0')) return;
      cutClient();
      server.destroy();
    });
  }
}

const COM_QUERY = 3;

/** Where the packet of a COMMIT begins, -1 without one. */
function commitStart(chunk: Buffer): number {
  // MySQL: one packet at a time, which ends in the statement.
  if (chunk[4] === COM_QUERY && chunk.subarray(-6).toString('latin1') === 'COMMIT') return 0;
  // PostgreSQL: 'Q', four bytes of length, the text.
  const postgres = chunk.indexOf('COMMIT\0', 0, 'latin1');
  return postgres >= 5 ? postgres - 5 : -1;
}

/** Takes a MySQL packet of statements that end in a COMMIT apart into one without and one with nothing else. */
function splitScript(packet: Buffer): [before: Buffer | undefined, commit: Buffer] {
  // Newer protocols send two counts of query attributes before the text.
  const prefix = packet.subarray(4, packet[5] === 0 ? 7 : 5);
  const text = packet.subarray(4 + prefix.length).toString('latin1');
  if (text === 'COMMIT') return [undefined, packet];
  return [queryPacket(prefix, text.slice(0, -';COMMIT'.length)), queryPacket(prefix, 'COMMIT')];
}

function queryPacket(prefix: Buffer, text: string): Buffer {
  const body = Buffer.concat([prefix, Buffer.from(text, 'latin1')]);
  const header = Buffer.alloc(4);
  header.writeUIntLE(body.length, 0, 3);
  return Buffer.concat([header, body]);
}
