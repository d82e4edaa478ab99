/** What the collation ids of a binlog's table maps stand for: the same numbers on every MySQL and MariaDB. */

/**
 * Collation ids below 1024 of each character set, as `information_schema.COLLATIONS` of MySQL 9 and MariaDB 11 list them.
 * An integration test compares the whole list with both servers.
 */
const CHARSET_COLLATIONS: Readonly<Record<string, string>> = {
  armscii8: '32 64',
  ascii: '11 65',
  big5: '1 84',
  binary: '63',
  cp1250: '26 34 44 66 99',
  cp1251: '14 23 50-52',
  cp1256: '57 67',
  cp1257: '29 58-59',
  cp850: '4 80',
  cp852: '40 81',
  cp866: '36 68',
  cp932: '95-96',
  dec8: '3 69',
  eucjpms: '97-98',
  euckr: '19 85',
  gb18030: '248-250',
  gb2312: '24 86',
  gbk: '28 87',
  geostd8: '92-93',
  greek: '25 70',
  hebrew: '16 71',
  hp8: '6 72',
  keybcs2: '37 73',
  koi8r: '7 74',
  koi8u: '22 75',
  latin1: '5 8 15 31 47-49 94',
  latin2: '2 9 21 27 77',
  latin5: '30 78',
  latin7: '20 41-42 79',
  macce: '38 43',
  macroman: '39 53',
  sjis: '13 88',
  swe7: '10 82',
  tis620: '18 89',
  ucs2: '35 90 128-151 159 640-642',
  ujis: '12 91',
  utf16: '54-55 101-124 672-674',
  utf16le: '56 62',
  utf32: '60-61 160-183 736-738',
  utf8mb3: '33 76 83 192-215 223 576-579',
  utf8mb4: '45-46 224-247 255-271 273-275 277-294 296-298 300 303-323 608-611',
};

/** Character sets of MariaDB's `uca1400` collations, 256 ids each from 2048 on. */
const UCA1400_CHARSETS = ['utf8mb3', 'utf8mb4', 'ucs2', 'utf16', 'utf32'];
const UCA1400_FIRST = 2048;

/** MariaDB's NO PAD variant of a collation has its id plus this. */
const NO_PAD = 1024;

export const BINARY_COLLATION = 63;
const UTF8MB4_0900_BIN = 309;
const BIN_COLLATIONS = new Set([
  43, 46, 47, 50, 53, 55, 58, 61, 62, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 77, 78, 79, 80, 81, 82,
  83, 84, 85, 86, 87, 88, 89, 90, 91, 93, 96, 98, 249,
]);

const CHARSETS = new Map<number, string>();
for (const [charset, ids] of Object.entries(CHARSET_COLLATIONS)) {
  for (const range of ids.split(' ')) {
    const [first = 0, last = first] = range.split('-').map(Number);
    for (let id = first; id <= last; id += 1) CHARSETS.set(id, charset);
  }
}

/** The character set's name, or undefined for an id that is none of those known. */
export function charsetOfCollation(collation: number): string | undefined {
  if (collation >= UCA1400_FIRST) return UCA1400_CHARSETS[(collation - UCA1400_FIRST) >> 8];
  return CHARSETS.get(collation >= NO_PAD ? collation - NO_PAD : collation);
}

/**
 * Whether two texts are equal under a collation only when their bytes are. Most `_bin` collations ignore trailing spaces;
 * that makes no difference where the server strips them anyhow (`padded`: CHAR columns).
 */
export function comparesBytes(collation: number, padded: boolean): boolean {
  if (collation === BINARY_COLLATION || collation === UTF8MB4_0900_BIN) return true;
  if (collation >= UCA1400_FIRST) return false;
  if (collation >= NO_PAD) return BIN_COLLATIONS.has(collation - NO_PAD);
  return padded && BIN_COLLATIONS.has(collation);
}
