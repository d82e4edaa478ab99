/** Character sets of columns, which rows tell and statements often leave to the table. Pure. */
import type { AdditiveStep } from '../model/schema-change.ts';
import type { Table } from '../model/table.ts';

/**
 * A MODIFY that names no character set takes the table's, which the binlog does not tell: only the rows that follow show that
 * the text was converted, and a session that is not strict replaces what the new set lacks.
 */
export function hasOtherCharset(former: Readonly<Record<string, string>>, table: Table): boolean {
  return Object.entries(charsetsIn(table)).some(([name, charset]) => (former[name] ?? charset) !== charset);
}

export function charsetsIn(table: Table | undefined): Record<string, string> {
  const columns = table?.columns ?? [];
  return Object.fromEntries(
    columns.flatMap(({ name, room }) => (room?.charset ? [[name, room.charset]] : [])),
  );
}

/** Of columns whose character set the statement leaves to the table, which the binlog does not tell: what they had before. */
export function openCharsets(
  steps: readonly AdditiveStep[],
  former: Table | undefined,
): Record<string, string> {
  const open = steps.flatMap((step) =>
    step.kind === 'widen column' && step.column.charset === null ? step.column.name.toLowerCase() : [],
  );
  const columns = (former?.columns ?? []).filter(({ name }) => open.includes(name.toLowerCase()));
  return Object.fromEntries(
    columns.flatMap(({ name, room }) => (room?.charset ? [[name, room.charset]] : [])),
  );
}
