import { expect, test } from 'vitest';
import { ConnectionPool } from '../../../src/drivers/connection-pool.ts';
import type { PooledConnection } from '../../../src/drivers/connection-pool.ts';

class FakeConnection implements PooledConnection {
  isUsable = true;
  isClosed = false;
  async close(): Promise<void> {
    this.isClosed = true;
  }
  destroy(): void {
    this.isUsable = false;
    this.isClosed = true;
  }
}

function pool(size: number, fails: () => boolean = () => false, maxIdleMs = 60_000) {
  const made: FakeConnection[] = [];
  const connections = new ConnectionPool<FakeConnection>({
    size,
    maxIdleMs,
    connect: async () => {
      await Promise.resolve();
      if (fails()) throw new Error('refused');
      const connection = new FakeConnection();
      made.push(connection);
      return connection;
    },
  });
  return { made, connections };
}

test('a pool opens no more connections than its size and hands them on in turn', async () => {
  const { made, connections } = pool(2);
  const order: number[] = [];
  await Promise.all(
    [0, 1, 2, 3, 4].map(async (i) => {
      const connection = await connections.acquire();
      order.push(i);
      await new Promise((resolve) => setImmediate(resolve));
      connections.release(connection);
    }),
  );
  expect(made).toHaveLength(2);
  expect(order).toEqual([0, 1, 2, 3, 4]);
});

test('a broken connection makes room for whoever waits', async () => {
  const { made, connections } = pool(1);
  const first = await connections.acquire();
  const waiting = connections.acquire();
  first.destroy();
  connections.release(first);
  expect(await waiting).toBe(made[1]);
});

test('a refused connection is told to all that wait, and none of them hangs', async () => {
  const { connections } = pool(1, () => true);
  const outcomes = await Promise.allSettled([
    connections.acquire(),
    connections.acquire(),
    connections.acquire(),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
});

test('a connection that lay idle too long is replaced', async () => {
  const { made, connections } = pool(1, undefined, -1);
  connections.release(await connections.acquire());
  await connections.acquire();
  expect(made.map(({ isClosed }) => isClosed)).toEqual([true, false]);
});

test('a closed pool refuses, closes what is idle, and what is lent once it comes back', async () => {
  const { made, connections } = pool(2);
  const lent = await connections.acquire();
  connections.release(await connections.acquire());
  await connections.close();
  await connections.close();
  expect(made.map(({ isClosed }) => isClosed)).toEqual([false, true]);
  connections.release(lent);
  expect(made.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  await expect(connections.acquire()).rejects.toMatchObject({ code: 'ROWFERRY_INVARIANT' });
});
