/**
 * Applies version files once each, in order, statement by statement.
 *
 * Order of a statement at PostgreSQL: BEGIN, statement, history, COMMIT: it is done when the history says so. MySQL commits
 * every DDL statement by itself, as PostgreSQL's CREATE INDEX CONCURRENTLY does, so there: (1) note in the history what is
 * about to be sent, (2) send it, (3) note that it is done. A run that was killed after (1) leaves open whether (2) happened;
 * the next run sends that very statement again and takes "exists already" for done. Only then: otherwise it is an error.
 */
import { serverErrorOf } from '../drivers/server-error.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import { counted } from '../model/counted.ts';
import { quote } from '../targets/postgres-sql.ts';
import { History } from './history.ts';
import type { HistoryEntry, SchemaSession } from './history.ts';
import { refusalOf, splitStatements } from './sql-script.ts';
import type { ScriptStatement } from './sql-script.ts';
import { checksum, isForAfterCopy, sortedVersions } from './version-file.ts';
import type { VersionFile } from './version-file.ts';

interface ApplyOptions {
  readonly pipeline: string;
  readonly files: readonly VersionFile[];
  /** Who applies, for the history: user and host. */
  readonly who: string;
  /** rowferry's version. */
  readonly rowferry: string;
  readonly dryRun: boolean;
  /** Stops at the first file whose indexes are to be made once the rows are copied. */
  readonly beforeCopy?: boolean;
  readonly report: (line: string) => void;
}

interface Script {
  readonly file: VersionFile;
  readonly sha256: string;
  readonly statements: readonly ScriptStatement[];
}

/**
 * Answers how many files were (dry run: would be) applied. Throws ROWFERRY_SCHEMA_REFUSED, _HISTORY, _LOCKED, or what the
 * target says of a statement, with file and line. Stops between statements when the signal aborts.
 */
export async function applyVersions(
  session: SchemaSession,
  options: ApplyOptions,
  signal: AbortSignal,
): Promise<number> {
  const scripts = sortedVersions(options.files).map((file) => scriptOf(file, session.engine));
  const history = new History(session, options.pipeline);
  if (options.dryRun) return dryRun(scripts, await history.entries(), options);
  await history.lock();
  try {
    await history.prepare();
    const entries = await history.entries();
    const pending = dueOf(pendingOf(scripts, entries), options);
    let applied = 0;
    for (const script of pending) {
      const entry = entries.find(({ version }) => version === script.file.version);
      await applyScript(session, history, script, entry, options, signal);
      applied += 1;
    }
    return applied;
  } finally {
    // A broken connection has given the lock back already.
    await history.unlock().catch(() => undefined);
  }
}

function dryRun(scripts: readonly Script[], entries: readonly HistoryEntry[], options: ApplyOptions): number {
  const pending = dueOf(pendingOf(scripts, entries), options);
  for (const { file, statements } of pending) {
    const done = entries.find(({ version }) => version === file.version)?.done ?? 0;
    options.report(
      `${file.name}: ${statements.length - done} of ${counted(statements.length, 'statement')} would run`,
    );
    for (const { sql } of statements.slice(done)) options.report(`${sql};`);
  }
  return pending.length;
}

/** Throws ROWFERRY_SCHEMA_REFUSED with every statement of the file that must not run. */
function scriptOf(file: VersionFile, engine: SchemaSession['engine']): Script {
  const statements = splitStatements(file.text, engine, file.name);
  const refused = statements.flatMap((statement) => {
    const why = refusalOf(statement, engine);
    return why === null ? [] : [`${file.name}:${statement.line}: ${why}`];
  });
  if (refused.length > 0) {
    throw new RowferryError(
      'ROWFERRY_SCHEMA_REFUSED',
      `statements that must not run unattended: ${refused.join('; ')}`,
      {
        hint: 'files only add; run such a statement by hand, when you have seen what it does to the rows',
      },
    );
  }
  return { file, sha256: checksum(file.text), statements };
}

/** Files that are not wholly applied. Throws ROWFERRY_SCHEMA_HISTORY when history and files do not go together. */
function pendingOf(scripts: readonly Script[], entries: readonly HistoryEntry[]): Script[] {
  const problems: string[] = [];
  for (const entry of entries) {
    const script = scripts.find(({ file }) => file.version === entry.version);
    if (script === undefined) problems.push(`${entry.file} was applied and is missing`);
    else if (entry.state === 'applied' && entry.sha256 !== script.sha256)
      problems.push(`${script.file.name} was changed after it was applied`);
    else if (entry.state !== 'applied' && entry.doneSha256 !== sumOf(script.statements.slice(0, entry.done)))
      problems.push(`${script.file.name} was changed in its first ${entry.done} statements, which are done`);
  }
  const applied = new Set(entries.filter(({ state }) => state === 'applied').map(({ version }) => version));
  const newest = Math.max(0, ...entries.map(({ version }) => version));
  const pending = scripts.filter(({ file }) => !applied.has(file.version));
  for (const { file } of pending) {
    const isLate = file.version < newest && !entries.some(({ version }) => version === file.version);
    if (isLate) problems.push(`${file.name} comes before version ${newest}, which was applied`);
  }
  if (problems.length === 0) return pending;
  throw new RowferryError('ROWFERRY_SCHEMA_HISTORY', problems.join('; '), {
    hint: 'restore the files as they were applied, and put what is new into a file with the next number',
  });
}

/** Files are applied in order, so that whatever comes after one that waits has to wait, too. */
function dueOf(pending: readonly Script[], { beforeCopy, report }: ApplyOptions): readonly Script[] {
  const first = beforeCopy === true ? pending.findIndex(({ file }) => isForAfterCopy(file)) : -1;
  if (first < 0) return pending;
  const names = pending.slice(first).map(({ file }) => file.name);
  report(`${names.join(', ')} ${names.length === 1 ? 'waits' : 'wait'} for the copy`);
  return pending.slice(0, first);
}

async function applyScript(
  session: SchemaSession,
  history: History,
  { file, sha256, statements }: Script,
  entry: HistoryEntry | undefined,
  { who, rowferry, report }: ApplyOptions,
  signal: AbortSignal,
): Promise<void> {
  const { version, name } = file;
  const from = entry?.done ?? 0;
  if (entry === undefined) {
    const fresh = { done: 0, doneSha256: sumOf([]), sentSha256: '', appliedBy: who };
    await history.insert({ version, file: name, sha256, state: 'applying', ...fresh }, rowferry);
  } else {
    report(`${name}: goes on after ${from} of ${counted(statements.length, 'statement')}`);
    await history.update(version, { sha256, state: 'applying', appliedBy: who });
  }
  for (const [offset, statement] of statements.slice(from).entries()) {
    const index = from + offset;
    if (signal.aborted) throw stopped(name, index, statements.length);
    const isRepeat = offset === 0 && entry?.sentSha256 === checksum(statement.sql);
    const done = { done: index + 1, doneSha256: sumOf(statements.slice(0, index + 1)), sentSha256: '' };
    try {
      await runStatement(session, history, version, statement, isRepeat, done);
    } catch (thrown) {
      const error = toRowferryError(thrown, 'applying a schema');
      // When the link is gone the entry stays as it is, which is just as good.
      const sent = isKnownUndone(session.engine, error, isRepeat) ? { sentSha256: '' } : {};
      await history.update(version, { state: 'failed', ...sent }).catch(() => undefined);
      throw new RowferryError(
        error.code,
        `${name}:${statement.line}: statement ${index + 1} of ${statements.length}: ${error.message}`,
        {
          where: error.where,
          hint:
            error.action === 'retry'
              ? 'apply again: it goes on with this statement'
              : `mend this statement in the file (those before it must stay), then apply again; ${error.hint ?? ''}`,
          cause: error.cause,
        },
      );
    }
  }
  await history.update(version, { state: 'applied', sha256 });
  report(`${name}: applied, ${counted(statements.length, 'statement')}`);
}

/** The server refused the statement outright: it need not be looked for when it is sent again. */
function isKnownUndone(engine: SchemaSession['engine'], error: RowferryError, isRepeat: boolean): boolean {
  const code = serverErrorOf(error)?.code;
  if (isRepeat || code === undefined) return false;
  // A concurrent build that fails leaves its index behind, unless the name was taken.
  return engine === 'mysql' || code === DUPLICATE_TABLE;
}

const DUPLICATE_TABLE = '42P07';

type Progress = Pick<HistoryEntry, 'done' | 'doneSha256' | 'sentSha256'>;

const CONCURRENTLY = /^CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?/;

async function runStatement(
  session: SchemaSession,
  history: History,
  version: number,
  statement: ScriptStatement,
  isRepeat: boolean,
  done: Progress,
): Promise<void> {
  if (session.engine === 'postgres' && !CONCURRENTLY.test(statement.bare)) {
    await session.query('BEGIN');
    try {
      await session.query(statement.sql);
      await history.update(version, done);
      await session.query('COMMIT');
    } catch (error) {
      await session.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
    return;
  }
  await history.update(version, { sentSha256: checksum(statement.sql) });
  if (session.engine === 'postgres') await buildIndex(session, statement.sql, isRepeat);
  else await sendOnce(session, statement.sql, isRepeat);
  await history.update(version, done);
}

/** Database, table, column and key that exist already. */
const EXISTS = new Set(['1007', '1050', '1060', '1061']);

async function sendOnce(session: SchemaSession, sql: string, isRepeat: boolean): Promise<void> {
  try {
    await session.query(sql);
  } catch (error) {
    if (!isRepeat || !EXISTS.has(serverErrorOf(error)?.code ?? '')) throw error;
  }
}

/** A build that was cut short leaves an index that is not valid: it is of no use to anybody and makes way for the next. */
async function buildIndex(session: SchemaSession, sql: string, isRepeat: boolean): Promise<void> {
  if (isRepeat) {
    const [, index = ''] =
      /INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?("(?:[^"]|"")*"|\S+)/i.exec(sql) ?? [];
    const [, table = ''] =
      /\sON\s+((?:"(?:[^"]|"")*"|[^\s(".])+(?:\.(?:"(?:[^"]|"")*"|[^\s(".])+)?)/i.exec(sql) ?? [];
    const [found] = await session.query(
      `SELECT i.indisvalid AS valid, c.oid::regclass::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
       WHERE i.indrelid = to_regclass(${quote(table)}) AND quote_ident(c.relname) = ${quote(index)}
          OR i.indrelid = to_regclass(${quote(table)}) AND '"' || replace(c.relname, '"', '""') || '"' = ${quote(index)}`,
    );
    if (found?.['valid'] === 't') return;
    if (found !== undefined) await session.query(`DROP INDEX CONCURRENTLY ${found['name'] ?? ''}`);
  }
  await session.query(sql);
}

function sumOf(statements: readonly ScriptStatement[]): string {
  return checksum(statements.map(({ sql }) => sql).join(';\n'));
}

function stopped(file: string, done: number, all: number): RowferryError {
  return new RowferryError(
    'ROWFERRY_TARGET_LINK',
    `${file}: stopped after ${done} of ${counted(all, 'statement')}`,
    {
      hint: 'apply again: it goes on with the next statement',
    },
  );
}
