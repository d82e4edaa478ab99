import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the proxy does to the bytes of both directions; each can be changed at any time and concerns open links as well. */
export interface Faults {
  /** Every piece arrives this much later. */
  delayMs: number;
  /** At most so many bytes a second, per direction of a link. */
  bytesPerSecond: number;
  /** Nothing arrives any more, though the links stay open and new ones are accepted: a half-open link, a black hole. */
  blackHole: boolean;
  /** New links are closed at once. */
  refuse: boolean;
  /** A link is cut when it has carried so many bytes from the server to the client. */
  cutAfterBytes: number;
}

const HEALTHY: Readonly<Faults> = {
  delayMs: 0,
  bytesPerSecond: Infinity,
  blackHole: false,
  refuse: false,
  cutAfterBytes: Infinity,
};

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/** A TCP proxy in front of one server that puts faults on the way. It starts healthy. */
export class FaultProxy {
  readonly host = '127.0.0.1';
  readonly faults: Faults = { ...HEALTHY };
  readonly #listener: Server;
  readonly #links = new Set<Link>();

  private constructor(targetHost: string, targetPort: number) {
    // Half-closed links pass on as such: a client may end its side and still wait for the answer.
    this.#listener = createServer({ allowHalfOpen: true }, (client) =>
      this.#open(client, targetHost, targetPort),
    );
  }

  /** Listens on a free port and forwards to `target`. */
  static async start(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
    const proxy = new FaultProxy(target.host, target.port);
    proxy.#listener.listen(0, proxy.host);
    await once(proxy.#listener, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  get linkCount(): number {
    return this.#links.size;
  }

  /** `url` with the proxy's address in place of the server's. */
  through(url: string): string {
    const proxied = new URL(url);
    proxied.host = `${this.host}:${this.port}`;
    return proxied.href;
  }

  /** Cuts every open link with a reset, as a dying machine or a firewall does. */
  cut(): void {
    for (const link of this.#links) this.#reset(link);
  }

  /** Takes all faults away. Bytes that a black hole swallowed stay lost, so links that met one are cut. */
  heal(): void {
    if (this.faults.blackHole) this.cut();
    Object.assign(this.faults, HEALTHY);
  }

  async close(): Promise<void> {
    this.cut();
    const closed = once(this.#listener, 'close');
    this.#listener.close();
    await closed;
  }

  #open(client: Socket, host: string, port: number): void {
    if (this.faults.refuse) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const link = { client: client.setNoDelay(true), server };
    this.#links.add(link);
    for (const socket of [client, server]) {
      // The other side learns of an error by the reset; what kind it was does not matter here.
      socket.on('error', () => undefined);
      socket.once('close', (hadError) => {
        if (hadError) this.#reset(link);
        if (client.destroyed && server.destroyed) this.#links.delete(link);
      });
    }
    void this.#carry(link, client, server, false);
    void this.#carry(link, server, client, true);
  }

  /** Moves bytes one way until that side ends; never rejects. */
  async #carry(link: Link, from: Socket, to: Socket, fromServer: boolean): Promise<void> {
    let carried = 0;
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false })) {
        let piece = chunk as Buffer;
        if (this.faults.delayMs > 0) await sleep(this.faults.delayMs);
        if (Number.isFinite(this.faults.bytesPerSecond)) {
          await sleep((piece.length / this.faults.bytesPerSecond) * 1_000);
        }
        if (this.faults.blackHole) continue;
        const room = fromServer ? Math.max(0, this.faults.cutAfterBytes - carried) : Infinity;
        if (piece.length > room) piece = piece.subarray(0, room);
        carried += piece.length;
        if (piece.length > 0 && !to.write(piece)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
        if (fromServer && carried >= this.faults.cutAfterBytes) {
          // Let what may pass arrive before the reset discards it.
          await sleep(10);
          this.#reset(link);
          return;
        }
      }
      if (!this.faults.blackHole) to.end();
    } catch {
      this.#reset(link);
    }
  }

  #reset({ client, server }: Link): void {
    client.resetAndDestroy();
    server.resetAndDestroy();
  }
}
