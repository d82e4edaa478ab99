/** Keys of rows: the exact identity used to fold, and the canonical form used to choose a partition. */
import type { Row, Table, WireValue } from './table.ts';

/** The primary key values of a row, in key order. */
export function keyOf(table: Table, row: Row): WireValue[] {
  return table.key.map((index) => row[index] ?? null);
}

/**
 * An exact text of a key: two keys have the same text only when all their wire values are the same. Each value is led by its
 * length, so that ("ab","c") differs from ("a","bc").
 */
export function exactKeyText(values: readonly WireValue[]): string {
  if (values.length === 1) return String(values[0]);
  let text = '';
  for (const value of values) {
    const part = String(value);
    text += `${part.length}:${part}`;
  }
  return text;
}

/** The same as `exactKeyText(keyOf(table, row))` without the array in between: this runs once for each row. */
export function exactRowKey(table: Table, row: Row): string {
  const { key } = table;
  if (key.length === 1) return String(row[key[0]!]);
  let text = '';
  for (const index of key) {
    const part = String(row[index]);
    text += `${part.length}:${part}`;
  }
  return text;
}

/** Letters that accent-insensitive collations treat as equal to a plain sequence and that Unicode does not decompose. */
const EXPANSIONS: Readonly<Record<string, string>> = {
  Æ: 'AE', Œ: 'OE', Ø: 'O', Đ: 'D', Ð: 'D', Ħ: 'H', Ł: 'L', Ŧ: 'T', Þ: 'TH', ẞ: 'SS', ĸ: 'Q', Ŋ: 'N', ı: 'I', Ɖ: 'D', Ƒ: 'F', Ɨ: 'I', Ɵ: 'O',
}; // prettier-ignore

/**
 * Text as coarse as the source may compare it: two texts that a case- and accent-insensitive, space-padding collation calls
 * equal give one result. Different texts may share it too, which only makes them share a partition (harmless), whereas equal
 * keys in two partitions would lose their order (I-2).
 */
export function looseText(text: string): string {
  if (/^[\x21-\x7e]*$/.test(text)) return text.toUpperCase();
  return text
    .normalize('NFKD')
    .toUpperCase()
    .normalize('NFKD')
    .replace(/[\p{M}\p{C}]/gu, '')
    .replace(/[^\x20-\x7e]/gu, (letter) => EXPANSIONS[letter] ?? hiragana(letter))
    .trimEnd();
}

/** Katakana as hiragana: kana-insensitive collations call them equal. */
function hiragana(letter: string): string {
  const code = letter.codePointAt(0) ?? 0;
  return code >= 0x30a1 && code <= 0x30f6 ? String.fromCodePoint(code - 0x60) : letter;
}
