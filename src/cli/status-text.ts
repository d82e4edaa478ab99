/** What both screens of `rowferry status` say in the same words. Pure. */
import type { Described } from '../errors.ts';
import { showDuration } from '../observe/progress.ts';

export function showLag(ms: number | null): string {
  if (ms === null) return 'unknown';
  return ms < 10_000 ? `${Math.round(ms)} ms` : showDuration(ms);
}

/** An error on lines of its own: what happened, where, and what mends it. */
export function errorLines({ what, where, hint }: Described): string[] {
  return [
    ...what.split('\n'),
    ...(where.length === 0 ? [] : [`  where: ${where.join(', ')}`]),
    ...(hint === null ? [] : `mend: ${hint}`.split('\n').map((line) => `  ${line}`)),
  ];
}

/** Cuts a text at spaces into lines of at most `width`; a word that is longer stays whole. What follows the first is set in. */
export function wrapped(text: string, width: number, indent = ''): string[] {
  const lines: string[] = [];
  const setIn = `${indent}${/^ */.exec(text)?.[0] ?? ''}`;
  let line = '';
  for (const word of text.trimStart().split(' ')) {
    const start = lines.length === 0 ? setIn.slice(indent.length) : setIn;
    if (line === '') line = `${start}${word}`;
    else if (line.length + 1 + word.length <= width) line += ` ${word}`;
    else {
      lines.push(line);
      line = `${setIn}${word}`;
    }
  }
  return [...lines, line];
}

/** Lines of cells, each column as wide as its widest and as `least`, with the columns at `right` to the right. */
export function aligned(
  rows: readonly (readonly string[])[],
  right: readonly number[],
  least: readonly number[] = [],
): string[] {
  const widths = [...least];
  for (const row of rows) row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, cell.length)));
  return rows.map((row) =>
    row
      .map((cell, at) => (right.includes(at) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
