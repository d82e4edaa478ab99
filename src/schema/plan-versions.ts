/** Which files come next, given those that were planned before. Pure. */
import { RowferryError } from '../errors.ts';
import { findByName } from './catalog.ts';
import type { DdlWriter } from './ddl.ts';
import type { TargetPlan } from './plan-target.ts';
import type { PlannedColumn, PlannedTable } from './planned.ts';
import { partsText } from './planned.ts';
import { checksum, INDEXES, sortedVersions, versionName, versionText } from './version-file.ts';
import type { VersionFile, VersionHeader } from './version-file.ts';

/** What was planned so far, kept beside the files as `planned.json`. */
export interface PlanRecord {
  readonly v: 1;
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
  /** The tables as they are when all of these files are applied. */
  readonly tables: readonly PlannedTable[];
}

interface PlanInput {
  readonly plan: TargetPlan;
  readonly ddl: DdlWriter;
  readonly indexes: 'before' | 'after';
  readonly header: Pick<VersionHeader, 'pipeline' | 'target' | 'engine' | 'routes'>;
  /** Files that are there. */
  readonly files: readonly VersionFile[];
  readonly record: PlanRecord | null;
  /** Takes files that were changed or written by hand, and what was left to be done by hand, as done. */
  readonly accept: boolean;
}

interface PlanOutput {
  readonly files: readonly VersionFile[];
  readonly record: PlanRecord;
  /** What no file does: an operator must. */
  readonly byHand: readonly string[];
}

/** Throws ROWFERRY_SCHEMA_HISTORY when earlier files are not as they were planned. */
export function planVersions(input: PlanInput): PlanOutput {
  const { plan, ddl, record, accept } = input;
  const before = sortedVersions(input.files);
  if (!accept) refuseChanged(before, record);
  const known = knownTables(input, before);
  const change = differenceOf(known, plan.tables, ddl);
  const at = (path: string): PlannedTable => plan.tables.find((table) => table.path === path)!;
  const now = [
    ...(change.tables.length + change.columns.length === 0 ? [] : ddl.prepare(affected(change, at))),
    ...change.tables.flatMap((table) => ddl.createTable(table, input.indexes)),
    ...change.columns.flatMap(({ path, column }) => ddl.addColumn(at(path), column)),
  ];
  const later = [
    ...(input.indexes === 'after' ? change.tables.flatMap((table) => ddl.laterIndexes(table)) : []),
    ...change.indexes.flatMap(({ path, index }) => ddl.addIndex(at(path), index)),
  ];
  const files: VersionFile[] = [];
  const add = (label: string, purpose: string, statements: readonly string[]): void => {
    if (statements.length === 0) return;
    const version = Math.max(0, ...[...before, ...files].map((file) => file.version)) + 1;
    const notes = files.length === 0 && label === '' ? plan.notes : [];
    const routes = label === '' ? input.header.routes : [];
    const header = { ...input.header, routes, version, notes, byHand: change.byHand, purpose };
    files.push({
      version,
      name: versionName(version, `${input.header.pipeline}${label}`),
      text: versionText(header, statements),
    });
  };
  add('', known.length === 0 ? 'tables' : 'what has come since', now);
  add(INDEXES, 'secondary indexes, to be made when the rows are copied', later);
  const kept = [...before, ...files].map(({ name, text }) => ({ name, sha256: checksum(text) }));
  return { files, record: { v: 1, files: kept, tables: change.result }, byHand: change.byHand };
}

/** Without a record, files that are accepted count for all that is wanted now. */
function knownTables(
  { record, plan, accept, ddl }: PlanInput,
  files: readonly VersionFile[],
): readonly PlannedTable[] {
  if (record === null) return accept && files.length > 0 ? plan.tables : [];
  return accept ? takenAsDone(record.tables, plan.tables, ddl) : record.tables;
}

function refuseChanged(files: readonly VersionFile[], record: PlanRecord | null): void {
  const planned = new Map((record?.files ?? []).map(({ name, sha256 }) => [name, sha256]));
  const problems = [
    ...files.flatMap(({ name, text }) => {
      const sum = planned.get(name);
      if (sum === undefined) return [`${name} was not planned`];
      return sum === checksum(text) ? [] : [`${name} was changed after it was planned`];
    }),
    ...[...planned.keys()]
      .filter((name) => findByName(files, name) === undefined)
      .map((name) => `${name} is missing`),
  ];
  if (problems.length === 0) return;
  throw new RowferryError(
    'ROWFERRY_SCHEMA_HISTORY',
    `what the files make of the target is not known: ${problems.join('; ')}`,
    {
      hint: 'look at `rowferry schema diff`; to take the files as they are and go on from there, plan with --accept',
    },
  );
}

/** Tables that were planned before as they are wanted now; new tables stay new, so that a file makes them. */
function takenAsDone(
  before: readonly PlannedTable[],
  now: readonly PlannedTable[],
  ddl: DdlWriter,
): readonly PlannedTable[] {
  return now.flatMap((table) => {
    const known = before.find(({ path }) => path === table.path);
    if (known === undefined) return [];
    const { columns, indexes } = differenceOf([known], [table], ddl);
    return [
      {
        ...table,
        columns: table.columns.filter((column) => !columns.some((added) => added.column === column)),
        indexes: table.indexes.filter((index) => !indexes.some((added) => added.index === index)),
      },
    ];
  });
}

interface Change {
  readonly tables: readonly PlannedTable[];
  readonly columns: readonly { readonly path: string; readonly column: PlannedColumn }[];
  readonly indexes: readonly { readonly path: string; readonly index: PlannedTable['indexes'][number] }[];
  readonly byHand: readonly string[];
  /** The tables once the files of this change are applied. */
  readonly result: readonly PlannedTable[];
}

function affected(change: Change, at: (path: string) => PlannedTable): PlannedTable[] {
  return [...change.tables, ...change.columns.map(({ path }) => at(path))];
}

/** What a file can add, and what it must not do. */
function differenceOf(before: readonly PlannedTable[], now: readonly PlannedTable[], ddl: DdlWriter): Change {
  const columns: { path: string; column: PlannedColumn }[] = [];
  const indexes: { path: string; index: PlannedTable['indexes'][number] }[] = [];
  const byHand: string[] = [];
  const result: PlannedTable[] = [];
  for (const old of before) {
    if (now.some(({ path }) => path === old.path)) continue;
    byHand.push(`${old.path}: no route leads to it any more; drop it when nobody needs its rows`);
    result.push(old);
  }
  for (const table of now) {
    const old = before.find(({ path }) => path === table.path);
    if (old === undefined) {
      result.push(table);
      continue;
    }
    const added = table.columns.filter(({ name }) => findByName(old.columns, name) === undefined);
    const keys = new Set(old.indexes.map(({ parts }) => partsText(parts)));
    const addedIndexes = table.indexes.filter(({ parts }) => !keys.has(partsText(parts)));
    for (const column of added) {
      columns.push({ path: table.path, column });
      if (ddl.leavesOpen(column))
        byHand.push(
          `${table.path}.${column.name}: rows that are there have no value for it; fill it, then make it NOT NULL`,
        );
    }
    indexes.push(...addedIndexes.map((index) => ({ path: table.path, index })));
    byHand.push(...changesByHand(old, table));
    result.push({
      ...old,
      columns: [...old.columns, ...added],
      indexes: [...old.indexes, ...addedIndexes],
    });
  }
  const tables = now.filter(({ path }) => !before.some((old) => old.path === path));
  return { tables, columns, indexes, byHand, result };
}

function changesByHand(old: PlannedTable, now: PlannedTable): string[] {
  const changes: string[] = [];
  for (const column of old.columns) {
    const next = findByName(now.columns, column.name);
    const about = `${now.path}.${column.name}`;
    if (next === undefined) {
      changes.push(`${about}: is not wanted any more`);
      continue;
    }
    const change = (what: string, from: string, to: string): void => {
      if (from !== to) changes.push(`${about}: ${what} ${from} becomes ${to}`);
    };
    change('type', column.type, next.type);
    change('collation', column.collation ?? 'none', next.collation ?? 'none');
    change('null', column.nullable ? 'NULL' : 'NOT NULL', next.nullable ? 'NULL' : 'NOT NULL');
    change('labels', (column.labels ?? []).join(','), (next.labels ?? []).join(','));
  }
  const [oldKey, key] = [old.primaryKey.join(', '), now.primaryKey.join(', ')];
  if (oldKey !== key) changes.push(`${now.path}: primary key (${oldKey}) becomes (${key})`);
  changes.push(...keyChanges(now.path, 'unique key', old.uniqueKeys, now.uniqueKeys));
  const gone = keyChanges(now.path, 'index', old.indexes, now.indexes).filter((line) =>
    line.includes('not wanted'),
  );
  return [...changes, ...gone];
}

function keyChanges(
  path: string,
  what: string,
  old: PlannedTable['uniqueKeys'],
  now: PlannedTable['uniqueKeys'],
): string[] {
  const [before, after] = [old, now].map((keys) => new Set(keys.map(({ parts }) => partsText(parts))));
  return [
    ...[...(before ?? [])]
      .filter((key) => after?.has(key) !== true)
      .map((key) => `${path}: ${what} (${key}) is not wanted any more`),
    ...[...(after ?? [])]
      .filter((key) => before?.has(key) !== true)
      .map((key) => `${path}: ${what} (${key}) is new; look for rows that collide first`),
  ];
}
