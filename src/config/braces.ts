/** Number ranges in braces: `trade_{00..12..4}` stands for trade_00, trade_04, trade_08 and trade_12. */

const RANGE = /\{(\d{1,6})\.\.(\d{1,6})(?:\.\.(\d{1,6}))?\}/;
const MOST_NAMES = 4096;

interface Expanded {
  readonly name: string;
  /** The number that stands for the braces; empty without braces. */
  readonly number: string;
}

/** The names that a text with at most one range stands for, or what is wrong with it. */
export function expandBraces(text: string): readonly Expanded[] | { readonly wrong: string } {
  const match = RANGE.exec(text);
  if (match === null) {
    return /[{}]/.test(text)
      ? { wrong: 'holds braces that are no range such as {00..15} or {00..60..4}' }
      : [{ name: text, number: '' }];
  }
  const [range, from = '', to = '', by = '1'] = match;
  const step = Number(by);
  const count = Math.floor((Number(to) - Number(from)) / step) + 1;
  if (step === 0 || count < 1) return { wrong: 'holds a range that goes nowhere; write {first..last}' };
  if (count > MOST_NAMES) return { wrong: `holds a range of more than ${MOST_NAMES} names` };
  if (/[{}]/.test(text.replace(range, ''))) return { wrong: 'holds more than one range; one is enough' };
  return Array.from({ length: count }, (_, i) => {
    const number = String(Number(from) + i * step).padStart(from.length, '0');
    return { name: text.replace(range, number), number };
  });
}
