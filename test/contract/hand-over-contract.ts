/** Rows that source tables hand to and fro in one target table: every interleaving ends at the sources’ rows. */
import { ApplyCounters } from '../../src/apply/apply-counters.ts';
import { describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';
import { BatchWriter } from '../../src/apply/batch-writer.ts';
import { foldChanges } from '../../src/apply/fold.ts';
import { ParkedKeys } from '../../src/apply/parked-keys.ts';
import { TableLocks } from '../../src/apply/table-locks.ts';
import type { Change } from '../../src/model/change.ts';
import { Router } from '../../src/routing/router.ts';
import type { RouteRule } from '../../src/routing/router.ts';
import type { Target } from '../../src/targets/target.ts';
import { DONE, FORMS, row, stored, twoSources, waiting } from './origin-fixture.ts';
import { contractDatabase, NEVER, openedTarget, P0, P1 } from './target-fixture.ts';
import type { ContractDatabase, EngineName } from './target-fixture.ts';
import { handOvers, random, SOURCES, TABLES, TARGETS } from './hand-over-history.ts';
import type { History, Random } from './hand-over-history.ts';

const RUNS = 15;

export function handOverContract(engine: EngineName): void {
  describe.for(FORMS)('rows handed from source to source in a table %s', ([, create]) => {
    test('cross each other without waiting for each other', async (context) => {
      const { write, rows, retry } = await twoSources(context, engine, create);
      await write('a', { upserts: [row('a', '1', 'x')] });
      await write('b', { upserts: [row('b', '2', 'y')] });
      expect(await write('a', { deletes: [['1']], upserts: [row('a', '2', 'y')] })).toMatchObject(
        waiting('a', '2'),
      );
      expect(await write('b', { deletes: [['2']], upserts: [row('b', '1', 'x')] })).toEqual(DONE);
      expect(await retry()).toEqual(['healed']);
      expect(await rows()).toEqual([stored('b', '1', 'x'), stored('a', '2', 'y')]);
    });

    test('cross each other at the same moment', async (context) => {
      const { write, rows, retry } = await twoSources(context, engine, create);
      await write('a', { upserts: [row('a', '1', 'x')] });
      await write('b', { upserts: [row('b', '2', 'y')] });
      await Promise.all([
        write('a', { deletes: [['1']], upserts: [row('a', '2', 'y')] }),
        write('b', { deletes: [['2']], upserts: [row('b', '1', 'x')] }),
      ]);
      for (const outcome of await retry()) expect(outcome).toBe('healed');
      expect(await rows()).toEqual([stored('b', '1', 'x'), stored('a', '2', 'y')]);
    });

    test('come back before the other source is heard of', async (context) => {
      const { write, rows, target } = await twoSources(context, engine, create);
      await write('a', { upserts: [row('a', '1', 'first')] });
      await write('a', { deletes: [['1']] });
      await write('a', { upserts: [row('a', '1', 'third')] });
      expect(await write('b', { upserts: [row('b', '1', 'second')] })).toMatchObject(waiting('b', '1'));
      expect(await write('b', { deletes: [['1']], unpark: [['1']] })).toEqual(DONE);
      expect(await rows()).toEqual([stored('a', '1', 'third')]);
      expect(await target.parked()).toEqual([]);
    });

    test('are told of again by a source that is read from an older position', async (context) => {
      const { write, rows, target } = await twoSources(context, engine, create);
      await write('b', { upserts: [row('b', '1', 'x')] });
      expect(await write('a', { upserts: [row('a', '1', 'x')] })).toMatchObject(waiting('a', '1'));
      expect(await write('a', { deletes: [['1']], unpark: [['1']] })).toEqual(DONE);
      expect(await rows()).toEqual([stored('b', '1', 'x')]);
      expect(await target.parked()).toEqual([]);
    });

    test('end where their sources have them, whatever the interleaving', async (context) => {
      const place = await handOverPlace(context, engine, create);
      let waited = 0;
      for (let run = 0; run < RUNS; run++) {
        const rand = random(run * 7_919 + 13);
        const history = handOvers(rand);
        waited += await place.replay(history, rand);
        expect(await place.rows(), `rows of run ${run}`).toEqual(history.end);
        expect(await place.parked(), `parked in run ${run}`).toEqual([]);
      }
      // Otherwise it would prove nothing.
      expect(waited).toBeGreaterThan(RUNS);
    });
  });
}

interface HandOverPlace {
  /** Applies the history in some interleaving of its two partitions; answers how often rows waited. */
  replay(history: History, rand: Random): Promise<number>;
  rows(): Promise<readonly string[]>;
  parked(): Promise<readonly unknown[]>;
}

/** Two targets with two tables each; the sources' partitions are written by the real batch writer. */
async function handOverPlace(
  context: TestContext,
  engine: EngineName,
  create: string,
): Promise<HandOverPlace> {
  const databases: ContractDatabase[] = [];
  const targets: Target[] = [];
  for (const name of TARGETS) {
    const database = await contractDatabase(context, engine);
    for (const table of TABLES) await database.exec(create.replace('TABLE users', `TABLE ${table}`));
    databases.push(database);
    targets.push(await openedTarget(database.url, { name }));
  }
  return {
    replay: async (history, rand) => {
      for (const database of databases) {
        for (const table of [...TABLES, 'rowferry_parked', 'rowferry_watermark']) {
          await database.exec(`DELETE FROM ${table}`);
        }
      }
      const router = new Router([ROUTE], TARGETS);
      const locks = new TableLocks();
      const partitions: Partition[] = [];
      for (const [i, source] of SOURCES.entries()) {
        partitions.push(
          await Partition.claim(targets, [P0, P1][i]!, router, source, history.logs[i]!, locks),
        );
      }
      return interleave(partitions, rand);
    },
    rows: async () => {
      const rows: string[] = [];
      for (const [i, database] of databases.entries()) {
        for (const table of TABLES) {
          for (const found of await database.rows(`SELECT id, email, origin FROM ${table}`)) {
            rows.push([TARGETS[i], table, ...found].join(' '));
          }
        }
      }
      return rows.toSorted();
    },
    parked: async () => (await Promise.all(targets.map((target) => target.parked()))).flat(),
  };
}

async function interleave(partitions: readonly Partition[], rand: Random): Promise<number> {
  let waited = 0;
  // Once, one of them goes back to the beginning of its log.
  const rewound = rand.pick(partitions);
  const rewindAt = rand.below(40);
  for (let step = 0; partitions.some(({ isAtEnd }) => !isAtEnd); step++) {
    const partition = rand.pick(partitions);
    if (step === rewindAt) rewound.rewind();
    waited += await partition.apply(rand.pick([1, 1, 2, 3]));
    if (rand.below(10) < 3) await rand.pick(partitions).retry();
  }
  // Rows may wait for each other in a chain.
  for (let round = 0; round < 6; round++) for (const partition of partitions) await partition.retry();
  return waited;
}

const ROUTE: RouteRule = {
  takes: () => [],
  sources: null,
  to: 'users',
  layout: {
    targets: TARGETS,
    shards: { algorithm: 'modulo', by: 'shard', count: TARGETS.length },
    tables: { rule: { algorithm: 'modulo', by: 'part', count: TABLES.length }, digits: 1 },
  },
  columns: { drop: ['shard', 'part'], origin: 'origin' },
};

/** One partition as its owner applies it, without Kafka. */
class Partition {
  readonly #log: readonly Change[];
  readonly #router: ReturnType<Router['of']>;
  readonly #writer: BatchWriter;
  readonly #parked: ParkedKeys;
  readonly #targets: readonly Target[];
  #at = 0;
  #offset = 0;
  #epoch = 1;

  private constructor(
    targets: readonly Target[],
    router: ReturnType<Router['of']>,
    log: readonly Change[],
    parked: ParkedKeys,
    writer: BatchWriter,
  ) {
    this.#targets = targets;
    this.#router = router;
    this.#log = log;
    this.#parked = parked;
    this.#writer = writer;
  }

  static async claim(
    targets: readonly Target[],
    id: typeof P0,
    router: Router,
    source: string,
    log: readonly Change[],
    locks: TableLocks,
  ): Promise<Partition> {
    for (const target of targets) await target.claim(id, 1);
    const parked = new ParkedKeys();
    const states = targets.map((target) => ({ target, next: 0, sourceTimeMs: null }));
    const writer = new BatchWriter({
      id,
      owner: 1,
      states,
      parked,
      onBadRow: 'stop',
      locks,
      counters: new ApplyCounters(),
    });
    return new Partition(targets, router.of(source), log, parked, writer);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#log.length;
  }

  rewind(): void {
    this.#at = 0;
    this.#epoch++;
  }

  /** Applies up to `count` changes as one batch; answers how many rows wait now. */
  async apply(count: number): Promise<number> {
    const changes = this.#log.slice(this.#at, this.#at + count);
    if (changes.length === 0) return 0;
    const start = this.#offset;
    const end = start + changes.length;
    const sequence = { epoch: this.#epoch, file: 1, end: changes.at(-1)!.sequence.end, half: 0 };
    const written = await this.#writer.write(
      {
        start,
        end,
        changes,
        offsets: changes.map(() => start),
        marker: undefined,
        additive: [],
        truncate: undefined,
        sequence,
        oldestMs: 0,
        newestMs: 0,
        bytes: 0,
      },
      { rows: foldChanges(changes, this.#router), places: this.#router.places },
      true,
      NEVER,
    );
    expect(written.kind).toBe('done');
    this.#offset = end;
    this.#at += changes.length;
    return this.#parked.size;
  }

  async retry(): Promise<void> {
    for (const { target, entry } of this.#parked.all()) {
      const outcome = await this.#targets[target]!.retryParked(entry, 1, NEVER);
      if (outcome !== 'waits') this.#parked.delete(target, entry);
    }
  }
}
