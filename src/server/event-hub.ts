/**
 * Server-sent events to any number of followers. Nothing waits for a follower: the newest events are kept for those who come
 * back, and whoever does not read what was sent is cut off.
 */
import type { ServerResponse } from 'node:http';

interface HubEvent {
  readonly id: number;
  readonly timeMs: number;
  readonly type: string;
  readonly data: object;
}

/** Events that a follower who comes back (`Last-Event-ID`) can still get. */
const KEPT = 256;
const MOST_FOLLOWERS = 32;
/** Bytes that may wait for one follower. */
const MOST_WAITING = 256 * 1024;
const BEAT_MS = 15_000;

export class EventHub {
  readonly #followers = new Set<ServerResponse>();
  #kept: HubEvent[] = [];
  #last = 0;
  readonly #beat = setInterval(() => this.#sendAll(': alive\n\n'), BEAT_MS).unref();

  get followers(): number {
    return this.#followers.size;
  }

  publish(type: string, data: object, timeMs = Date.now()): void {
    const event = { id: ++this.#last, timeMs, type, data };
    this.#kept.push(event);
    if (this.#kept.length > KEPT) this.#kept = this.#kept.slice(-KEPT);
    this.#sendAll(textOf(event));
  }

  /** Answers false when there are too many followers; true when the response is ours from now on. */
  follow(response: ServerResponse, lastId: number | undefined): boolean {
    if (this.#followers.size >= MOST_FOLLOWERS) return false;
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      connection: 'keep-alive',
    });
    response.on('close', () => void this.#followers.delete(response));
    response.on('error', () => void this.#followers.delete(response));
    this.#followers.add(response);
    // After a restart the numbers begin anew: whoever asks for more than there is gets what is kept.
    const since = lastId === undefined ? this.#last : lastId > this.#last ? 0 : lastId;
    const missed = this.#kept.filter(({ id }) => id > since);
    this.#send(response, `retry: 2000\n\n${missed.map(textOf).join('')}`);
    return true;
  }

  close(): void {
    clearInterval(this.#beat);
    for (const follower of this.#followers) follower.end();
    this.#followers.clear();
  }

  #sendAll(text: string): void {
    for (const follower of this.#followers) this.#send(follower, text);
  }

  #send(follower: ServerResponse, text: string): void {
    if (follower.writableLength > MOST_WAITING) {
      this.#followers.delete(follower);
      follower.destroy();
      return;
    }
    follower.write(text);
  }
}

function textOf({ id, timeMs, type, data }: HubEvent): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify({ timeMs, ...data })}\n\n`;
}
