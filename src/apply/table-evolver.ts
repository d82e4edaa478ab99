/**
 * Takes the steps of additive changes at the targets before the rows that need them are written. Shared by all partitions of
 * the process.
 *
 * Every partition meets the change, and other processes do too: each compares the target with what the change asks for, so that
 * whoever comes first does it, in a session that holds the target's lock. A step that somebody else took by hand meanwhile fails
 * here; what is left then tells whether that matters.
 */
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { tableName } from '../model/table.ts';
import type { SourceRouter, TableRoute } from '../routing/router.ts';
import { killPoint } from '../runtime/kill-points.ts';
import { planEvolution } from '../schema/evolve.ts';
import type { EvolvePlan } from '../schema/evolve.ts';
import { readEvolveCatalog } from '../schema/evolve-catalog.ts';
import { evolveSql } from '../schema/evolve-sql.ts';
import type { CatalogQuery, Target } from '../targets/target.ts';
import type { SchemaMarkerOf } from './batch.ts';
import type { RoutedTables } from './routed-tables.ts';
import { rowsOf, tablesAt } from './routed-tables.ts';
import { TableLocks } from './table-locks.ts';

interface Statement {
  readonly kind: string;
  readonly table: string;
  readonly sql: string;
}

/** Changes that are remembered; a forgotten one only costs a look at the catalog. */
const MOST_REMEMBERED = 1_000;

export class TableEvolver {
  readonly #log: Log;
  readonly #locks = new TableLocks();
  readonly #done = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Resolves when every target that holds the table has what the change asks for. */
  async evolve(
    targets: readonly Target[],
    router: SourceRouter,
    topic: string,
    marker: SchemaMarkerOf<'additive'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { change, epoch, position } = marker;
    const routes = router.routes({ schema: change.schema, name: change.table });
    const settled = await Promise.allSettled(
      targets.map(async (target) => {
        const name = JSON.stringify([target.name, topic, epoch, position, change.schema, change.table]);
        await this.#locks.hold([target.name], async () => {
          if (this.#done.has(name)) return;
          await this.#evolveAt(target, routes, marker, signal);
          this.#remember(name);
        });
      }),
    );
    // No statement is left running unseen.
    for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason;
  }

  #remember(name: string): void {
    this.#done.add(name);
    const [oldest] = this.#done;
    if (this.#done.size > MOST_REMEMBERED && oldest !== undefined) this.#done.delete(oldest);
  }

  async #evolveAt(
    target: Target,
    routes: readonly TableRoute[],
    marker: SchemaMarkerOf<'additive'>,
    signal: AbortSignal,
  ): Promise<void> {
    const routed = await tablesAt(target, routes);
    // Nothing to do is the rule: every partition of every process asks.
    const missing = await target.catalog((query) => missingAt(target, query, routed, marker));
    if (missing.length === 0) return;
    // Under the lock: two that read before either has changed anything would change it twice, or to what only one of them knew.
    const change = async (run: CatalogQuery) => await this.#change(target, run, routed, marker, signal);
    await target.changeTables(change, signal);
  }

  async #change(
    target: Target,
    run: CatalogQuery,
    routed: readonly RoutedTables[],
    marker: SchemaMarkerOf<'additive'>,
    signal: AbortSignal,
  ): Promise<void> {
    let left = await missingAt(target, run, routed, marker);
    while (left.length > 0) {
      signal.throwIfAborted();
      const [next] = left;
      try {
        await run(next!.sql);
        this.#log.info(
          { target: target.name, table: next!.table, position: marker.position },
          `${next!.kind}, as at the source`,
        );
        killPoint('apply.after-alter');
        left = left.slice(1);
      } catch (thrown) {
        const error = toRowferryError(thrown, 'changing a target table');
        if (error.action === 'retry') throw error;
        const now = await missingAt(target, run, routed, marker);
        // Somebody else took a step: what failed may have been that.
        if (now.length >= left.length) throw byHand(error, target, next!, marker);
        left = now;
      }
    }
  }
}

async function missingAt(
  target: Target,
  query: CatalogQuery,
  routed: readonly RoutedTables[],
  { change, position }: SchemaMarkerOf<'additive'>,
): Promise<Statement[]> {
  if (routed.length === 0) return [];
  const all = [...new Set(routed.flatMap(({ paths }) => paths))];
  const { traits, tables } = await readEvolveCatalog(target.kind, query, all);
  const statements: Statement[] = [];
  for (const { route, paths } of routed) {
    const isShared = rowsOf(route) !== null;
    for (const path of paths) {
      const table = tables.get(path);
      if (table === undefined) continue;
      const plan = planEvolution(change.steps, { ...route, isShared }, traits, table);
      refuseProblems(plan, target, path, position);
      for (const step of plan.steps) {
        for (const sql of evolveSql(path, step, traits))
          statements.push({ kind: step.kind, table: path, sql });
      }
    }
  }
  return statements;
}

function refuseProblems({ problems }: EvolvePlan, target: Target, table: string, position: string): void {
  const [first] = problems;
  if (first === undefined) return;
  const told = problems.map(({ column, what }) => `column ${column} ${what}`).join('; ');
  throw new RowferryError(
    'ROWFERRY_TARGET_SCHEMA',
    `a change of the source table needs an operator: ${told}`,
    {
      where: { target: target.name, table, column: first.column, position },
      hint: 'change the target table by hand as the statement at the source did; the partition then goes on by itself',
    },
  );
}

/** The refusal with the statement: whoever may carry it out can do so. It holds names and types, and no row. */
function byHand(
  error: RowferryError,
  target: Target,
  { table, sql }: Statement,
  { change, position }: SchemaMarkerOf<'additive'>,
): RowferryError {
  const grant =
    target.kind === 'mysql'
      ? 'grant ALTER, CREATE and INSERT on it (and INDEX)'
      : "make rowferry's role its owner or a member of the owner";
  const hint =
    error.code === 'ROWFERRY_TARGET_ACCESS'
      ? `${grant}, or run by hand: ${sql}`
      : `mend the cause, or run by hand what leads to the same: ${sql}`;
  const source = tableName({ schema: change.schema, name: change.table });
  const code = error.code === 'ROWFERRY_TARGET_ACCESS' ? error.code : 'ROWFERRY_TARGET_SCHEMA';
  return new RowferryError(code, `the table could not follow a change of ${source}: ${error.message}`, {
    where: { ...error.where, target: target.name, table, position },
    hint: `${hint}; the partition then goes on by itself`,
    cause: error.cause,
  });
}
