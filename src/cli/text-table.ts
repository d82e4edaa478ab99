export type Cell = string | number | null;

/**
 * Lines of a table for people: numbers to the right with thousands separated, text to the left, null as a dash. Drawn with
 * `-` alone unless the screen has more than ASCII.
 */
export function textTable(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  { unicode }: { readonly unicode: boolean } = { unicode: true },
): string[] {
  const show = (cell: Cell): string => {
    if (cell === null) return unicode ? '–' : '-';
    return typeof cell === 'number' ? cell.toLocaleString('en-US') : cell;
  };
  const cells = rows.map((row) => row.map(show));
  const widths = header.map((name, column) =>
    Math.max(name.length, ...cells.map((row) => (row[column] ?? '').length)),
  );
  const numeric = header.map((_, column) => rows.some((row) => typeof row[column] === 'number'));
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, column) => {
        const width = widths[column] ?? 0;
        return numeric[column] === true ? text.padStart(width) : text.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  const rule = unicode ? '─' : '-';
  return [line(header), widths.map((width) => rule.repeat(width)).join('  '), ...cells.map(line)];
}
