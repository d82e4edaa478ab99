import { describe, expect, it } from 'vitest';
import {
  collationDifferences,
  icuCollation,
  icuLocale,
  nearestCollation,
} from '../../../src/schema/collation.ts';

const MYSQL = new Set(
  `utf8mb4_0900_ai_ci utf8mb4_0900_as_ci utf8mb4_0900_as_cs utf8mb4_0900_bin utf8mb4_bin utf8mb4_general_ci utf8mb4_unicode_ci
   utf8mb4_unicode_520_ci utf8mb4_sv_0900_ai_ci utf8mb4_swedish_ci latin1_swedish_ci latin1_bin ascii_bin binary`.split(
    /\s+/,
  ),
);
const MARIADB = new Set(
  `utf8mb4_uca1400_ai_ci utf8mb4_uca1400_nopad_ai_ci utf8mb4_uca1400_as_cs utf8mb4_uca1400_nopad_as_cs utf8mb4_bin
   utf8mb4_nopad_bin utf8mb4_general_ci utf8mb4_unicode_ci utf8mb4_unicode_520_ci utf8mb4_uca1400_swedish_nopad_ai_ci
   utf8mb4_swedish_ci latin1_swedish_ci latin1_bin ascii_bin binary`.split(/\s+/),
);

describe('the nearest collation of another server', () => {
  it.each([
    ['utf8mb4_general_ci', MARIADB, 'utf8mb4_general_ci'],
    ['utf8mb4_0900_ai_ci', MARIADB, 'utf8mb4_uca1400_nopad_ai_ci'],
    ['utf8mb4_0900_as_cs', MARIADB, 'utf8mb4_uca1400_nopad_as_cs'],
    ['utf8mb4_0900_bin', MARIADB, 'utf8mb4_nopad_bin'],
    ['utf8mb4_sv_0900_ai_ci', MARIADB, 'utf8mb4_uca1400_swedish_nopad_ai_ci'],
    ['utf8mb4_uca1400_ai_ci', MYSQL, 'utf8mb4_0900_ai_ci'],
    ['utf8mb4_uca1400_nopad_ai_ci', MYSQL, 'utf8mb4_0900_ai_ci'],
    ['utf8mb4_nopad_bin', MYSQL, 'utf8mb4_0900_bin'],
    ['utf8mb4_uca1400_as_cs', MYSQL, 'utf8mb4_0900_as_cs'],
    ['utf8mb4_uca1400_swedish_ai_ci', MYSQL, 'utf8mb4_sv_0900_ai_ci'],
    // Rather too exact than too loose.
    ['utf8mb4_0900_as_ci', MARIADB, 'utf8mb4_uca1400_nopad_as_cs'],
    ['gb18030_chinese_ci', MARIADB, 'utf8mb4_general_ci'],
  ])('of %s', (wanted, available, expected) => {
    expect(nearestCollation(wanted, available)).toBe(expected);
  });

  it('does not exist where no character set holds the text', () => {
    expect(nearestCollation('utf8mb4_bin', new Set(['latin1_bin', 'binary']))).toBeUndefined();
  });
});

it.each([
  ['utf8mb4_0900_ai_ci', 'rowferry_ai_ci', 'und-u-ks-level1'],
  ['utf8mb4_0900_as_ci', 'rowferry_as_ci', 'und-u-ks-level2'],
  ['utf8mb4_general_ci', 'rowferry_ai_ci', 'und-u-ks-level1'],
  ['latin1_swedish_ci', 'rowferry_sv_ai_ci', 'sv-u-ks-level1'],
  ['latin1_german2_ci', 'rowferry_de_phonebk_ai_ci', 'de-u-co-phonebk-ks-level1'],
  ['utf8mb4_es_trad_0900_ai_ci', 'rowferry_es_trad_ai_ci', 'es-u-co-trad-ks-level1'],
  ['utf8mb4_sr_latn_0900_ai_ci', 'rowferry_sr_latn_ai_ci', 'sr-latn-u-ks-level1'],
])('%s is ICU collation %s with locale %s', (collation, name, locale) => {
  expect(icuCollation(collation)).toBe(name);
  expect(icuLocale(name)).toBe(locale);
});

it('says what two collations do not agree on', () => {
  expect(collationDifferences('utf8mb4_0900_ai_ci', 'utf8mb4_0900_ai_ci')).toEqual([]);
  expect(collationDifferences('utf8mb4_0900_ai_ci', 'utf8mb4_uca1400_nopad_ai_ci')).toEqual([]);
  expect(collationDifferences('utf8mb4_0900_ai_ci', 'utf8mb4_sv_0900_as_cs')).toEqual([
    'case',
    'accents',
    'language',
  ]);
  expect(collationDifferences('utf8mb4_bin', 'utf8mb4_0900_bin')).toEqual(['spaces at the end']);
});
