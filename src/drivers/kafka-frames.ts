/** Kafka's answers as whole frames. */
import type { Socket } from 'node:net';

const LENGTH_BYTES = 4;

/** Cuts a byte stream into frames: a length of four bytes, and so many bytes more. */
export class FrameCutter {
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** Returns the frames that `piece` completes, each with its length in front. */
  push(piece: Buffer): Buffer[] {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    const frames: Buffer[] = [];
    for (;;) {
      const size = this.#frameBytes();
      if (size === undefined || size > this.#bytes) return frames;
      const all = this.#joined();
      frames.push(all.subarray(0, size));
      this.#pieces = size < all.length ? [all.subarray(size)] : [];
      this.#bytes -= size;
    }
  }

  #frameBytes(): number | undefined {
    if (this.#bytes < LENGTH_BYTES) return undefined;
    const [first] = this.#pieces;
    const head = first !== undefined && first.length >= LENGTH_BYTES ? first : this.#joined();
    return LENGTH_BYTES + Math.max(0, head.readInt32BE(0));
  }

  #joined(): Buffer {
    const [first] = this.#pieces;
    if (first !== undefined && this.#pieces.length === 1) return first;
    const all = Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [all];
    return all;
  }
}

/**
 * Makes the socket's `data` listeners see whole frames only.
 *
 * A kafkajs connection (2.2.4) that is cut in the middle of an answer keeps the bytes that it has, and puts them in front of
 * what its next socket receives: it then reads answers from the wrong place, which throws out of reach of any caller or, worse,
 * takes other bytes for an answer. Incomplete frames that stay here die with their socket. An error of a listener closes the
 * socket, which kafkajs can deal with, instead of ending the process.
 */
export function deliverWholeFrames(socket: Socket): Socket {
  const cutter = new FrameCutter();
  const on = socket.on.bind(socket);
  socket.on = (event: string, listener: (...args: never[]) => void): Socket => {
    if (event !== 'data') return on(event, listener as (...args: unknown[]) => void);
    const take = listener as (frame: Buffer) => void;
    return on('data', (piece: Buffer) => {
      try {
        for (const frame of cutter.push(piece)) take(frame);
      } catch (error) {
        socket.destroy(
          error instanceof Error ? error : new Error('a frame could not be read', { cause: error }),
        );
      }
    });
  };
  return socket;
}
