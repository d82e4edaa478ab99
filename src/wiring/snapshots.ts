/** What is copied of each source, and requests to a running capture: records of the checkpoint topic. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { AskSnapshot } from '../capture/checkpoint-log.ts';
import { encodeRecord, recordKey } from '../capture/checkpoint-log.ts';
import type { SnapshotAction, SnapshotRequest } from '../capture/snapshot-state.ts';
import type { Config } from '../config/config.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import { RowferryError } from '../errors.ts';
import { quote } from '../model/mysql-literals.ts';
import { didYouMean } from '../model/suggest.ts';
import { TableFilter } from '../model/table-filter.ts';
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

/** Asks for a table to be copied, or for a copy to be paused, resumed or cancelled; `table` null means all. Answers the source. */
export async function requestSnapshot(
  config: Config,
  source: string | undefined,
  request: SnapshotRequest,
  signal: AbortSignal,
): Promise<string> {
  const name = chooseSource(config, source);
  checkTable(config, name, request);
  if (request.action === 'add' && request.table !== null) await findTable(config, name, request.table);
  await withStore(config, name, signal, async (store) => {
    const record: AskSnapshot = {
      kind: 'snapshot',
      id: randomUUID(),
      ...request,
      by: hostname(),
      timeMs: Date.now(),
    };
    await store.append(recordKey(record), encodeRecord(record));
  });
  return name;
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
