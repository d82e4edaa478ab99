/** `rowferry ddl ack`: an operator has dealt with a statement for which a table, or the capture, waits. */
import type { Accept, StatementPlace } from '../capture/acknowledgements.ts';
import { RENAMES } from '../capture/alter-table.ts';
import { encodeRecord, readCheckpointLog, recordKey } from '../capture/checkpoint-log.ts';
import type { CheckpointState } from '../capture/checkpoint-log.ts';
import type { HeldTable } from '../capture/table-flow.ts';
import { covers } from '../capture/table-flow.ts';
import type { Config, SourceSettings } from '../config/config.ts';
import { loadRoutes } from '../config/routes.ts';
import type { LoadedRoute } from '../config/routes.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Table } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import { Router, takenAs } from '../routing/router.ts';
import { sleep } from '../runtime/backoff.ts';
import { makeTargets } from './apply-role.ts';
import { localUser } from './local-user.ts';
import { readTopic } from './kafka-parts.ts';
import { sourceTopics } from './names.ts';
import { chooseSource, withKafka, withStore } from './positions.ts';
import { silentLog } from './silent-log.ts';
import { sourceTables } from './source-facts.ts';
import { unbroughtColumns } from './target-tables.ts';

export interface AcknowledgeRequest {
  /** `file:end position`, as the log line and the status name it. */
  readonly statement: string;
  /** No table need wait for it: the whole capture stopped there, or has not come so far. */
  readonly ahead: boolean;
  /** Also where a route does not fit the table as it is now, or targets have columns of before a rename. */
  readonly force: boolean;
  /** False where others than rowferry consume the topic: then there is nobody to wait for. */
  readonly waits: boolean;
  /** Who acknowledges; the host where that is not known. */
  readonly by?: string;
}

interface Acknowledged {
  readonly source: string;
  /** Tables that go on. */
  readonly tables: readonly string[];
}

/** A table is shown as held a moment before that is saved. */
const SAVE_PATIENCE_MS = 3_000;
const LOOK_MS = 250;

/**
 * Throws ROWFERRY_CONFIG_INVALID with what waits when nothing waits for the statement, ROWFERRY_ROUTE_COLUMNS, _KEY with the
 * route when rows of the table as it is now would stop the appliers, and ROWFERRY_TARGET_SCHEMA when a column was renamed and a
 * target has one that rows of the table do not bring.
 */
export async function acknowledgeStatement(
  config: Config,
  source: string | undefined,
  { statement, ahead, force, waits, by = localUser() }: AcknowledgeRequest,
  signal: AbortSignal,
): Promise<Acknowledged> {
  const name = chooseSource(config, source);
  if (!/^.+\.\d+:\d+$/.test(statement)) {
    throw new RowferryError('ROWFERRY_CONFIG_INVALID', `${statement} is not a place in the binlog`, {
      hint: 'give it as the error names it, for example binlog.000012:3456',
    });
  }
  const state = await savedState(config, name, ahead ? null : statement, signal);
  const named = state.flow.held.filter((held) => held.statement === statement);
  if (named.length === 0 && !ahead) throw notHeld(name, statement, state.flow.held);
  const settings = config.sources.find((found) => found.name === name);
  if (!force && named.length > 0 && settings !== undefined)
    await checkTables(config, settings, named, signal);
  await withStore(config, name, signal, async (store) => {
    for (const place of placesOf(name, statement, named, state)) {
      const held = named
        .filter(({ from, gtid }) => from.server === place.server && gtid === place.gtid)
        .map(({ table, why }) => ({ table, why }));
      const record: Accept = {
        kind: 'accept',
        ...place,
        ...(held.length === 0 ? {} : { held }),
        ...(waits ? {} : { waits: false }),
        by,
        timeMs: Date.now(),
      };
      await store.append(recordKey(record), encodeRecord(record));
    }
  });
  return { source: name, tables: named.map(({ table }) => table) };
}

async function savedState(
  config: Config,
  source: string,
  statement: string | null,
  signal: AbortSignal,
): Promise<CheckpointState> {
  const { checkpoints } = sourceTopics(config, source);
  return await withKafka(config, signal, async (link) => {
    const giveUpAt = Date.now() + SAVE_PATIENCE_MS;
    for (;;) {
      const state = readCheckpointLog(await readTopic(link, checkpoints, signal));
      const isHeld = statement === null || state.flow.held.some((held) => held.statement === statement);
      if (isHeld || Date.now() >= giveUpAt) return state;
      await sleep(LOOK_MS, signal);
    }
  });
}

/** The statement as no other one is named: by its server, and by its transaction where that is known. */
function placesOf(
  source: string,
  statement: string,
  named: readonly HeldTable[],
  { position }: CheckpointState,
): StatementPlace[] {
  if (named.length > 0) {
    const places = new Map<string, StatementPlace>();
    for (const { from, gtid } of named)
      places.set(`${from.server} ${gtid ?? ''}`, { server: from.server, statement, gtid });
    return [...places.values()];
  }
  if (position !== null) return [{ server: position.server, statement, gtid: null }];
  throw new RowferryError(
    'ROWFERRY_CONFIG_INVALID',
    'nothing of this source is saved: no statement can be waiting',
    {
      where: { source },
      hint: 'start a capture first',
    },
  );
}

function notHeld(source: string, statement: string, held: readonly HeldTable[]): RowferryError {
  const told = held.map((entry) => `${entry.table} waits since ${entry.statement} (${entry.why})`).join('; ');
  return new RowferryError('ROWFERRY_CONFIG_INVALID', `no table waits for a statement at ${statement}`, {
    where: { source },
    hint: `${told === '' ? 'none waits at all' : told}; say --ahead where the whole capture stopped at it`,
  });
}

async function checkTables(
  config: Config,
  source: SourceSettings,
  named: readonly HeldTable[],
  signal: AbortSignal,
): Promise<void> {
  const routes = await loadRoutes(config);
  const isNamed = (table: Table): boolean => named.some((held) => covers(held.table, tableName(table)));
  const captured = await sourceTables(source);
  const tables = captured.filter(isNamed);
  checkRoutes(source, tables, routes);
  if (!named.some(({ why }) => why.includes(RENAMES))) return;
  await checkRename(config, source, { renamed: tables, captured }, routes, signal);
}

/**
 * Rows that are at the targets keep their values in the column of before: behind the acknowledgement nothing copies them to
 * the one of now, where `schema apply` has made one beside it.
 */
async function checkRename(
  config: Config,
  source: SourceSettings,
  tables: { readonly renamed: readonly Table[]; readonly captured: readonly Table[] },
  routes: readonly LoadedRoute[],
  signal: AbortSignal,
): Promise<void> {
  const left: string[] = [];
  for (const target of makeTargets(config, silentLog)) {
    try {
      await target.open(signal);
      left.push(...(await unbroughtColumns(source.name, tables, routes, [target])));
    } finally {
      await target.close();
    }
  }
  if (left.length === 0) return;
  throw new RowferryError(
    'ROWFERRY_TARGET_SCHEMA',
    `a column was renamed, and target tables have columns that its rows do not bring:\n${left.join('\n')}`,
    {
      where: { source: source.name },
      hint: 'once the targets have every row of before, rename the column there by hand, so that its values stay (docs/held-tables.md, Renames and drops of columns); --force where these columns are your own',
    },
  );
}

/**
 * Once acknowledged, rows of the new shape are in the topic for good: a route that names a column which they lack would stop
 * their partitions, and no change at a target could mend that.
 */
function checkRoutes(source: SourceSettings, tables: readonly Table[], routes: readonly LoadedRoute[]): void {
  const errors = tables.flatMap((table) =>
    routes.flatMap(({ rule, route }) => {
      if (takenAs(rule, source.name, table) === undefined) return [];
      const error = unfit(new Router([rule], rule.layout.targets), source.name, table);
      return error === undefined ? [] : [{ place: route.place, error }];
    }),
  );
  const [first] = errors;
  if (first === undefined) return;
  const told = errors.map(({ place, error }) => `${place}: ${error.message}`).join('\n');
  throw new RowferryError(
    first.error.code,
    `rows that follow the statement would stop the appliers:\n${told}`,
    {
      where: { source: source.name, ...first.error.where },
      hint: 'give the source its column back, or go on with a pipeline with a new "name" and routes that fit; --force lets the rows through all the same',
    },
  );
}

function unfit(router: Router, source: string, table: Table): RowferryError | undefined {
  try {
    router.of(source).placements(table);
    return undefined;
  } catch (error) {
    return toRowferryError(error, 'looking at a route');
  }
}
