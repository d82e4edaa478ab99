import type { Terminal } from './context.ts';

interface Bar {
  readonly label: string;
  readonly value: number;
}

/** A full block, then what is left of one in eighths. */
const BLOCK = '█';
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const NARROWEST = 10;

/** Lines of a bar chart over the width of the screen: label, value, bar. The largest value fills the line; zero has no bar. */
export function barChart(bars: readonly Bar[], { columns, unicode }: Terminal): string[] {
  const numbers = bars.map(({ value }) => value.toLocaleString('en-US'));
  const labelWidth = Math.max(0, ...bars.map(({ label }) => label.length));
  const numberWidth = Math.max(0, ...numbers.map(({ length }) => length));
  const width = Math.max(NARROWEST, columns - labelWidth - numberWidth - 4);
  const largest = Math.max(0, ...bars.map(({ value }) => value));
  return bars.map(({ label, value }, i) => {
    const share = largest === 0 ? 0 : value / largest;
    const bar = unicode ? blocks(share * width) : '#'.repeat(atLeastSome(share, Math.round(share * width)));
    return `${label.padEnd(labelWidth)}  ${numbers[i]!.padStart(numberWidth)}  ${bar}`.trimEnd();
  });
}

function blocks(length: number): string {
  const eighths = atLeastSome(length, Math.round(length * 8));
  return BLOCK.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!;
}

/** A few rows among millions are not none. */
function atLeastSome(exact: number, drawn: number): number {
  return exact > 0 ? Math.max(1, drawn) : 0;
}
