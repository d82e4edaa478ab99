/** What is copied of each source, and requests to a running capture: records of the checkpoint topic. */
import { randomUUID } from 'node:crypto';
import type { AskSnapshot, CheckpointState } from '../capture/checkpoint-log.ts';
import { encodeRecord, readCheckpointLog, recordKey } from '../capture/checkpoint-log.ts';
import type { SnapshotAction, SnapshotRequest, TableCopy } from '../capture/snapshot-state.ts';
import { applyRequest } from '../capture/snapshot-state.ts';
import type { Config } from '../config/config.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import { RowferryError } from '../errors.ts';
import { quote } from '../model/mysql-literals.ts';
import { didYouMean } from '../model/suggest.ts';
import { TableFilter } from '../model/table-filter.ts';
import { localUser } from './local-user.ts';
import { chooseSource, savedPositions, withStore } from './positions.ts';
import type { CopyStatus, DaemonStatus } from './daemon-status.ts';
import { withoutKeys } from './daemon-status.ts';
import { readStatuses } from './status-file.ts';

export interface SourceCopies {
  readonly source: string;
  readonly tables: readonly CopyStatus[];
  /** A capture of this source runs on this machine; without one the tables are as they were last saved. */
  readonly isLive: boolean;
  /** Why the copy waits; null when it does not. */
  readonly waits: string | null;
  readonly rate: { readonly elapsedMs: number; readonly rows: number } | null;
  /** Requests that no capture has taken up yet. */
  readonly pending: number;
}

export async function snapshotStatus(
  config: Config,
  source: string | undefined,
  signal: AbortSignal,
  daemons: readonly DaemonStatus[] = readStatuses(config),
): Promise<SourceCopies[]> {
  const live = daemons.flatMap(({ captures }) => captures);
  return (await savedPositions(config, source, signal)).map(({ source: name, state }) => {
    const capture = live.find((found) => found.source === name && found.state === 'reading');
    return {
      source: name,
      tables: capture?.copies ?? state.snapshot.tables.map(withoutKeys),
      isLive: capture !== undefined,
      waits: capture?.copyWaits ?? null,
      rate: capture?.copyRate ?? null,
      pending: state.requests.length,
    };
  });
}

export interface AskedSnapshot {
  readonly source: string;
  /** The copies that it concerns, as they were when it was asked for; of a table that is added none or the one before. */
  readonly copies: readonly TableCopy[];
}

/**
 * Asks for a table to be copied, or for a copy to be paused, resumed or cancelled; `table` null means all. Throws
 * ROWFERRY_CONFIG_INVALID with how the copies stand when none is left to pause, resume or cancel.
 */
export async function requestSnapshot(
  config: Config,
  source: string | undefined,
  request: SnapshotRequest,
  signal: AbortSignal,
  by = localUser(),
): Promise<AskedSnapshot> {
  const name = chooseSource(config, source);
  checkTable(config, name, request);
  if (request.action === 'add' && request.table !== null) await findTable(config, name, request.table);
  return await withStore(config, name, signal, async (store) => {
    const copies = concerned(name, request, standing(readCheckpointLog(await store.readAll(signal))));
    const record: AskSnapshot = {
      kind: 'snapshot',
      id: randomUUID(),
      ...request,
      by,
      timeMs: Date.now(),
    };
    await store.append(recordKey(record), encodeRecord(record));
    return { source: name, copies };
  });
}

/** The copies as the requests leave them that no capture has taken up yet. */
function standing({ snapshot, requests }: CheckpointState): readonly TableCopy[] {
  return requests.reduce((state, { id, request, end }) => applyRequest(state, request, end, id), snapshot)
    .tables;
}

/**
 * The copies that a request changes. A copy that is saved as done stays so until it is added again: whatever else happens
 * meanwhile, this request would do nothing. Pure.
 */
export function concerned(
  source: string,
  { action, table }: Pick<SnapshotRequest, 'action' | 'table'>,
  copies: readonly TableCopy[],
): readonly TableCopy[] {
  const named = copies.filter((copy) => table === null || copy.table === table);
  const open = named.filter(({ state }) => state !== 'done');
  if (action === 'add') return named;
  if (open.length > 0) return open;
  const left = `to ${action}`;
  if (named.length > 0) {
    const [what, it] =
      table === null ? [`every copy of ${source} is done`, 'one'] : [`the copy of ${table} is done`, 'it'];
    throw notOpen(
      source,
      `${what}: all rows are read, and nothing is left ${left}`,
      `${add(table)} copies ${it} again`,
    );
  }
  if (table === null)
    throw notOpen(source, `no table is copied: nothing is there ${left}`, `${add(null)} copies one`);
  const names = copies.map((copy) => copy.table);
  throw notOpen(
    source,
    `there is no copy of ${table} ${left}${didYouMean(table, names)}`,
    `none was asked for, or it was cancelled: rowferry snapshot status lists those that are there, ${add(table)} makes one`,
  );
}

function add(table: string | null): string {
  return `rowferry snapshot add ${table ?? '<table>'}`;
}

function notOpen(source: string, what: string, hint: string): RowferryError {
  return new RowferryError('ROWFERRY_CONFIG_INVALID', what, { where: { source }, hint });
}

function checkTable(
  config: Config,
  source: string,
  { action, table }: { readonly action: SnapshotAction; readonly table: string | null },
): void {
  if (table === null) return;
  const [schema = '', name = ''] = table.split('.');
  const patterns = config.sources.find((found) => found.name === source)?.tables ?? [];
  if (action !== 'add' || new TableFilter(patterns).matches(schema, name)) return;
  throw new RowferryError('ROWFERRY_CONFIG_INVALID', `source ${source} does not capture ${table}`, {
    hint: `write it as schema.table; add it to sources.${source}.tables and restart first, so that its changes are captured before it is copied`,
  });
}

const LOOK_MS = 10_000;

/** A request for a table that is not there would wait for ever. */
async function findTable(config: Config, source: string, table: string): Promise<void> {
  const settings = config.sources.find((found) => found.name === source);
  if (settings === undefined) return;
  const [schema = ''] = table.split('.');
  const connection = await MysqlConnection.connect({
    url: settings.url,
    side: 'source',
    where: { source },
    session: ['SET NAMES utf8mb4'],
    connectTimeoutMs: LOOK_MS,
    queryTimeoutMs: LOOK_MS,
  });
  try {
    const { rows } = await connection.query(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema = ${quote(schema)}`,
    );
    const names = rows.map(({ name }) => `${schema}.${name}`);
    if (names.includes(table)) return;
    throw new RowferryError(
      'ROWFERRY_CONFIG_INVALID',
      `source ${source} has no table ${table}${didYouMean(table, names)}`,
      { hint: 'write its name as the source does; nothing was asked for' },
    );
  } finally {
    await connection.close();
  }
}
