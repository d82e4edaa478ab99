/** The folder of a target's version files and what was planned so far: `<dir>/<target>/V001__shop.sql`, `planned.json`. */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RowferryError } from '../errors.ts';
import type { PlanRecord } from '../schema/plan-versions.ts';
import { versionOf } from '../schema/version-file.ts';
import type { VersionFile } from '../schema/version-file.ts';

const RECORD = 'planned.json';

export function readVersions(dir: string, target: string): VersionFile[] {
  return filesIn(join(dir, target)).flatMap((name) => {
    const version = versionOf(name);
    if (version === undefined) return [];
    return [{ version, name, text: readFileSync(join(dir, target, name), 'utf8') }];
  });
}

export function readRecord(dir: string, target: string): PlanRecord | null {
  if (!filesIn(join(dir, target)).includes(RECORD)) return null;
  const file = join(dir, target, RECORD);
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as PlanRecord;
    if (record.v === 1) return record;
  } catch (cause) {
    throw unreadable(file, cause);
  }
  throw unreadable(file, undefined);
}

/** The record last: without it the files count as not planned, which is told, rather than planned and missing. */
export function writeVersions(
  dir: string,
  target: string,
  files: readonly VersionFile[],
  record: PlanRecord,
): void {
  const folder = join(dir, target);
  mkdirSync(folder, { recursive: true });
  for (const { name, text } of files) writeFileSync(join(folder, name), text, { flag: 'wx' });
  writeFileSync(join(folder, `${RECORD}.new`), `${JSON.stringify(record, null, 2)}\n`);
  renameSync(join(folder, `${RECORD}.new`), join(folder, RECORD));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function unreadable(file: string, cause: unknown): RowferryError {
  return new RowferryError('ROWFERRY_SCHEMA_HISTORY', `${file} cannot be read`, {
    hint: 'restore it, or plan with --accept to take the files as they are',
    cause,
  });
}
