/**
 * Lets a connection rest that has nothing to send. kafkajs 2.2.4 looks for requests that have to wait (for others in flight, or for
 * a quota) by a timer that sets itself anew for as long as the connection is open; where none waits its time is negative: a thousand
 * looks a second on every connection, and with Node 24 a warning. None is needed then: a request that has to wait begins to look.
 */
import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
}

const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as {
  readonly prototype: RequestQueue;
};

let rests = false;

/** Of all connections that this thread opens, once for all. */
export function restIdleConnections(): void {
  if (rests) return;
  rests = true;
  const { scheduleCheckPendingRequests } = prototype;
  prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
  };
}
