/** The port behind which webhooks, mail servers and commands stand. */
import type { Delivery } from './delivery.ts';

export interface Channel {
  /**
   * Delivers; resolves once the receiver has taken it. Rejects with a `ChannelError`, whose text is for the log: it holds no
   * URL and no answer of the receiver. Ends soon after the signal aborts, and leaves nothing running.
   */
  send(delivery: Delivery, signal: AbortSignal): Promise<void>;
}

export class ChannelError extends Error {
  override readonly name = 'ChannelError';
}

/** A system's code (`ECONNREFUSED`) of an error or its cause: the text of such errors may quote what is secret. */
export function codeOf(thrown: unknown): string {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if ('code' in error && typeof error.code === 'string') return error.code;
  }
  return thrown instanceof Error ? thrown.name : 'unknown';
}
