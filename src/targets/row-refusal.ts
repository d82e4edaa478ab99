/** Errors that are about single rows of a batch, and rows that belong to another source table. */
import { RowferryError } from '../errors.ts';
import type { TableWriter, WriteBatch } from './target.ts';

/** The text that an operator meets for it: what a parked row waits for. */
export const OTHER_ORIGIN = 'a row with this key came from another source';

/** The transaction can go on without the row that was refused. */
export function isRowRefusal(error: unknown): error is RowferryError {
  if (!(error instanceof RowferryError)) return false;
  return error.action === 'isolate' || error.action === 'data';
}

/** The target holds a key of the writer's with another origin. */
export function otherOrigin(writer: TableWriter): RowferryError {
  return new RowferryError('ROWFERRY_TARGET_CONFLICT', OTHER_ORIGIN, { where: { table: writer.table.name } });
}

/** A row that says another origin than its writer could be inserted, but neither changed nor deleted ever after. */
export function refuseMixedOrigins({ tables }: WriteBatch): void {
  for (const { writer, upserts } of tables) {
    const { origin } = writer;
    if (origin === undefined) continue;
    const { index } = writer.columns[origin.position]!;
    if (upserts.every(({ row }) => row[index] === origin.value)) continue;
    throw new RowferryError('ROWFERRY_INVARIANT', 'a row image has another origin than its table', {
      where: { table: writer.table.name },
      hint: 'this is a bug of rowferry: keep the log and report it',
    });
  }
}
