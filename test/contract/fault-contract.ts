/** The Target port's contract when links break, COMMITs go unanswered and locks are in the way. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TestContext } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { CommitProxy } from '../support/commit-proxy.ts';
import type { CommitFault } from '../support/commit-proxy.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import {
  ACCOUNT,
  batch,
  contractDatabase,
  CREATE_ACCOUNT,
  CREATE_ITEM,
  ITEM,
  killWaiting,
  lockWait,
  NEVER,
  nextOf,
  openedTarget,
  P0,
  tableBatch,
  writerOf,
} from './target-fixture.ts';
import type { ContractDatabase, EngineName } from './target-fixture.ts';
import type { TableBatch, TableWriter, Target } from '../../src/targets/target.ts';

interface Faulty {
  readonly database: ContractDatabase;
  readonly proxy: CommitProxy;
  readonly target: Target;
  readonly item: TableWriter;
  readonly account: TableWriter;
}

/** A claimed target behind a proxy, with both tables. */
async function faultyTarget(context: TestContext, engine: EngineName): Promise<Faulty> {
  const database = await contractDatabase(context, engine);
  await database.exec(CREATE_ITEM);
  await database.exec(CREATE_ACCOUNT);
  const proxy = await CommitProxy.start(addressOf(database.url));
  onTestFinished(() => proxy.close());
  const target = await openedTarget(proxy.through(database.url), { connections: 2 });
  await target.claim(P0, 1);
  return {
    database,
    proxy,
    target,
    item: await writerOf(target, ITEM),
    account: await writerOf(target, ACCOUNT),
  };
}

function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

const FAULTS: readonly CommitFault[] = ['lost', 'unanswered'];

export function faultContract(engine: EngineName): void {
  describe('an unanswered COMMIT', () => {
    test.for(FAULTS)('that was %s leaves the batch written once', async (fault, context) => {
      const { database, proxy, target, item } = await faultyTarget(context, engine);
      proxy.arm(fault);
      const work = tableBatch(item, { upserts: [['1', 'apple', 1]] });
      expect(await target.write(batch(0, 10, [work]), NEVER)).toEqual({ kind: 'done', parked: [] });
      expect(proxy.met).toBe(1);
      expect(await database.rows('SELECT id FROM item')).toEqual([['1']]);
      expect(await nextOf(target)).toBe(10);
    });

    test.for(FAULTS)('of phase one that was %s, with the same plan as before', async (fault, context) => {
      const { database, proxy, target, item } = await faultyTarget(context, engine);
      const save = { kind: 'planned', plannedEnd: 10 } as const;
      await target.write(batch(0, 0, [], { save }), NEVER);
      // The plan alone cannot tell whether this one happened: it was there before.
      proxy.arm(fault);
      const work = tableBatch(item, { upserts: [['1', 'apple', 1]] });
      expect(await target.write(batch(0, 0, [work], { save }), NEVER)).toMatchObject({ kind: 'done' });
      expect(proxy.met).toBe(1);
      expect(await database.rows('SELECT id FROM item')).toEqual([['1']]);
    });

    test.for(FAULTS)('that was %s still tells what was parked', async (fault, context) => {
      const { proxy, target, account } = await faultyTarget(context, engine);
      await target.write(batch(0, 1, [tableBatch(account, { upserts: [['1', 'a']] })]), NEVER);
      const work = tableBatch(account, { upserts: [['2', 'a']] });
      // The first COMMIT is sent along with the insert that fails.
      proxy.arm(fault, { skip: 1 });
      const result = await target.write(batch(1, 2, [work]), NEVER);
      expect(result).toMatchObject({ kind: 'done', parked: [{ key: ['2'], reason: 'conflict' }] });
      expect(proxy.met).toBe(1);
      expect(await target.parked()).toHaveLength(1);
    });

    test('that arrives late, when the batch is already tried again, is not taken for a stranger', async (context) => {
      const { database, proxy, target, item } = await faultyTarget(context, engine);
      proxy.arm('late');
      const work = tableBatch(item, { upserts: [['1', 'apple', 1]] });
      const writing = target.write(batch(0, 10, [work]), NEVER);
      await waitUntil(() => proxy.met === 1, { what: 'the COMMIT to be held back' });
      // The second attempt has looked at the watermark and now waits for the lock that the first still holds.
      await lockWait(database, 'the second attempt to wait');
      proxy.deliverLate();
      expect(await writing).toEqual({ kind: 'done', parked: [] });
      expect(await database.rows('SELECT id FROM item')).toEqual([['1']]);
    });

    test.skipIf(engine === 'postgres')(
      'that arrives with all its statements after the batch was written anew changes nothing (MySQL only: PostgreSQL takes the statements one by one)',
      async (context) => {
        const { database, proxy, target, item } = await faultyTarget(context, engine);
        proxy.arm('stray');
        const first = tableBatch(item, { upserts: [['1', 'apple', 1]] });
        expect(await target.write(batch(0, 10, [first]), NEVER)).toMatchObject({ kind: 'done' });
        const second = tableBatch(item, { upserts: [['1', 'pear', 2]] });
        expect(await target.write(batch(10, 20, [second]), NEVER)).toMatchObject({ kind: 'done' });
        const answered = proxy.lateAnswer();
        proxy.deliverLate();
        await answered;
        expect(await database.rows('SELECT name FROM item')).toEqual([['pear']]);
        expect(await nextOf(target)).toBe(20);
      },
    );

    test.for(FAULTS)('of a claim that was %s leaves it mine', async (fault, context) => {
      const { proxy, target } = await faultyTarget(context, engine);
      proxy.arm(fault);
      expect(await target.claim(P0, 7)).toMatchObject({ kind: 'mine', watermark: { owner: 7 } });
      expect(proxy.met).toBe(1);
    });

    test.for(FAULTS)('of a retry that was %s leaves the parked row healed', async (fault, context) => {
      const { database, proxy, target, account } = await faultyTarget(context, engine);
      await target.write(batch(0, 1, [tableBatch(account, { upserts: [['1', 'a']] })]), NEVER);
      await target.write(batch(1, 2, [tableBatch(account, { upserts: [['2', 'a']] })]), NEVER);
      await target.write(batch(2, 3, [tableBatch(account, { deletes: [['1']] })]), NEVER);
      const [entry] = await target.parked();
      proxy.arm(fault);
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('healed');
      expect(proxy.met).toBe(1);
      expect(await database.rows('SELECT id, email FROM account')).toEqual([['2', 'a']]);
      expect(await target.parked()).toEqual([]);
    });
  });

  test('a small batch takes no more than a round trip', async (context) => {
    const { database, proxy, target, item, account } = await faultyTarget(context, engine);
    const work = (id: string): TableBatch[] => [
      tableBatch(item, { upserts: [[id, 'apple', 1]], deletes: [['99']], unpark: [['99']] }),
      tableBatch(account, { upserts: [[id, id]] }),
    ];
    // PostgreSQL parses each statement once for each connection, this one among them.
    await target.write(batch(0, 1, work('1')), NEVER);
    const before = proxy.roundTrips;
    await target.write(batch(1, 2, work('2')), NEVER);
    // A pipeline's first answers may come while its last statements are still being passed on.
    expect(proxy.roundTrips - before).toBeLessThanOrEqual(engine === 'postgres' ? 2 : 1);
    expect(await database.rows('SELECT id FROM item ORDER BY id')).toEqual([['1'], ['2']]);
  });

  describe('a broken link', () => {
    test('in the middle of a transaction leaves nothing behind, and the batch is written anew', async (context) => {
      const database = await contractDatabase(context, engine);
      await database.exec(CREATE_ITEM);
      const target = await openedTarget(database.url);
      const writer = await writerOf(target, ITEM);
      await target.claim(P0, 1);
      // A row of the batch waits for a lock: there the session is killed.
      await database.exec("INSERT INTO item VALUES (500, 'locked', 0)");
      const blocker = await database.session();
      await blocker.exec('BEGIN');
      await blocker.exec('UPDATE item SET qty = 1 WHERE id = 500');
      const upserts = Array.from({ length: 1000 }, (_, i) => [String(i), 'new', i]);
      const writing = target.write(batch(0, 1, [tableBatch(writer, { upserts })]), NEVER);
      await lockWait(database, 'the batch to wait for the lock');
      await killWaiting(database);
      expect(await database.rows('SELECT count(*) FROM item')).toEqual([['1']]);
      expect(await database.rows('SELECT next FROM rowferry_watermark')).toEqual([['0']]);
      await blocker.exec('ROLLBACK');
      expect(await writing).toEqual({ kind: 'done', parked: [] });
      expect(await database.rows('SELECT count(*), sum(qty) FROM item')).toEqual([['1000', '499500']]);
    });

    test('is an error of the class retry once the budget ends, and the target works again after', async (context) => {
      const database = await contractDatabase(context, engine);
      await database.exec(CREATE_ITEM);
      const proxy = await FaultProxy.start(addressOf(database.url));
      onTestFinished(() => proxy.close());
      const target = await openedTarget(proxy.through(database.url), { retryBudgetMs: 300 });
      await target.claim(P0, 1);
      proxy.faults.refuse = true;
      proxy.cut();
      await expect(target.write(batch(0, 1, []), NEVER)).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_LINK',
        action: 'retry',
        where: { target: 'shard-1' },
      });
      proxy.heal();
      expect(await target.write(batch(0, 1, []), NEVER)).toMatchObject({ kind: 'done' });
    });

    test('that stays away is the caller’s to wait for, and told at once until the target is back', async (context) => {
      const database = await contractDatabase(context, engine);
      await database.exec(CREATE_ITEM);
      const proxy = await FaultProxy.start(addressOf(database.url));
      onTestFinished(() => proxy.close());
      const target = await openedTarget(proxy.through(database.url), {
        retryBudgetMs: 600_000,
      });
      await target.claim(P0, 1);
      proxy.faults.refuse = true;
      proxy.cut();
      for (let i = 0; i < 2; i++)
        await expect(target.write(batch(0, 1, []), NEVER)).rejects.toMatchObject({
          code: 'ROWFERRY_TARGET_LINK',
        });
      proxy.heal();
      expect(await target.write(batch(0, 1, []), NEVER)).toMatchObject({ kind: 'done' });
    });

    test('ends the retries at once when the signal aborts', async (context) => {
      const database = await contractDatabase(context, engine);
      const proxy = await FaultProxy.start(addressOf(database.url));
      onTestFinished(() => proxy.close());
      const target = await openedTarget(proxy.through(database.url), {
        retryBudgetMs: 60_000,
      });
      await target.claim(P0, 1);
      proxy.faults.refuse = true;
      proxy.cut();
      const stop = new AbortController();
      const writing = target.write(batch(0, 1, []), stop.signal);
      const outcome = expect(writing).rejects.toMatchObject({ action: 'retry' });
      const began = Date.now();
      setTimeout(() => stop.abort(), 100);
      await outcome;
      expect(Date.now() - began).toBeLessThan(3_000);
    });

    test('that only falls silent is noticed and replaced', async (context) => {
      const database = await contractDatabase(context, engine);
      const proxy = await FaultProxy.start(addressOf(database.url));
      onTestFinished(() => proxy.close());
      const target = await openedTarget(proxy.through(database.url), {
        queryTimeoutMs: 300,
        connectTimeoutMs: 300,
      });
      await target.claim(P0, 1);
      proxy.faults.blackHole = true;
      const writing = target.write(batch(0, 1, []), NEVER);
      // New links work from here on; the old one stays silent for ever.
      setTimeout(() => (proxy.faults.blackHole = false), 700);
      expect(await writing).toMatchObject({ kind: 'done' });
      expect(await nextOf(target)).toBe(1);
    });
  });

  describe('a locked row', () => {
    test('delays the batch that needs it, and no other partition', async (context) => {
      const database = await contractDatabase(context, engine);
      await database.exec(CREATE_ITEM);
      await database.exec("INSERT INTO item VALUES (1, 'locked', 0)");
      const target = await openedTarget(database.url);
      const writer = await writerOf(target, ITEM);
      const other = { topic: P0.topic, partition: 9 };
      await target.claim(P0, 1);
      await target.claim(other, 1);
      const blocker = await database.session();
      await blocker.exec('BEGIN');
      await blocker.exec('UPDATE item SET qty = 1 WHERE id = 1');
      const blocked = target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'new', 7]] })]), NEVER);
      await lockWait(database, 'the batch to wait');
      await target.write(
        batch(0, 1, [tableBatch(writer, { upserts: [['2', 'b', 2]] })], { id: other }),
        NEVER,
      );
      await blocker.exec('ROLLBACK');
      expect(await blocked).toMatchObject({ kind: 'done' });
      expect(await database.rows('SELECT id, qty FROM item ORDER BY id')).toEqual([['1', '7'], ['2', '2']]); // prettier-ignore
    });

    test('that stays locked is told by its own name, and not as a server that cannot be reached', async (context) => {
      const database = await contractDatabase(context, engine);
      await database.exec(CREATE_ITEM);
      await database.exec("INSERT INTO item VALUES (1, 'locked', 0)");
      const target = await openedTarget(database.url);
      const writer = await writerOf(target, ITEM);
      await target.claim(P0, 1);
      const blocker = await database.session();
      await blocker.exec('BEGIN');
      await blocker.exec('UPDATE item SET qty = 1 WHERE id = 1');
      const began = Date.now();
      const work = [tableBatch(writer, { upserts: [['1', 'new', 7]] })];
      await expect(target.write(batch(0, 1, work), NEVER)).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_BUSY',
        action: 'retry',
        where: { target: 'shard-1' },
      });
      // One wait for a lock, and not one after the other for as long as it may take.
      expect(Date.now() - began).toBeLessThan(9_000);
      await blocker.exec('ROLLBACK');
      expect(await target.write(batch(0, 1, work), NEVER)).toMatchObject({ kind: 'done' });
    });

    test('in a deadlock makes the loser try again', async (context) => {
      const database = await contractDatabase(context, engine);
      await database.exec(CREATE_ITEM);
      // PostgreSQL finds each deadlock after a second, and the four may meet again.
      const target = await openedTarget(database.url, { connections: 4, retryBudgetMs: 20_000 });
      const writer = await writerOf(target, ITEM);
      const ids = Array.from({ length: 4 }, (_, partition) => ({ topic: P0.topic, partition }));
      await Promise.all(ids.map((id) => target.claim(id, 1)));
      const rows = Array.from({ length: 200 }, (_, i) => [String(i), 'x', i]);
      for (let round = 0; round < 2; round++) {
        // Every partition writes the same rows, half of them backwards: no order of locks can be right for all.
        const results = await Promise.all(
          ids.map((id) => {
            const upserts = id.partition % 2 === 0 ? rows : rows.toReversed();
            return target.write(batch(round, round + 1, [tableBatch(writer, { upserts })], { id }), NEVER);
          }),
        );
        expect(results.every(({ kind }) => kind === 'done')).toBe(true);
      }
      expect(await database.rows('SELECT count(*) FROM item')).toEqual([['200']]);
    });
  });
}
