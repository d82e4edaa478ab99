/** What the name of a MySQL or MariaDB collation says, and which collation of another server comes closest. Pure. */

interface CollationTraits {
  readonly charset: string;
  /** ICU's name of the language, `und` for none. */
  readonly language: string;
  readonly binary: boolean;
  readonly accents: boolean;
  readonly cases: boolean;
  /** Spaces at the end make no difference. */
  readonly pads: boolean;
  /** Which edition of Unicode's rules, roughly. */
  readonly generation: number;
}

const LANGUAGES: Readonly<Record<string, string>> = {
  swedish: 'sv', german1: 'de', german2: 'de-u-co-phonebk', german: 'de', de_pb: 'de-u-co-phonebk', danish: 'da',
  spanish: 'es', spanish2: 'es-u-co-trad', es_trad: 'es-u-co-trad', polish: 'pl', czech: 'cs', slovak: 'sk',
  slovenian: 'sl', croatian: 'hr', romanian: 'ro', hungarian: 'hu', turkish: 'tr', lithuanian: 'lt', latvian: 'lv',
  estonian: 'et', icelandic: 'is', vietnamese: 'vi', esperanto: 'eo', persian: 'fa', sinhala: 'si', bulgarian: 'bg',
  greek: 'el', hebrew: 'he', thai: 'th', sr_latn: 'sr-Latn', mn_cyrl: 'mn-Cyrl',
}; // prettier-ignore

export function collationTraits(collation: string): CollationTraits {
  const name = collation.toLowerCase();
  if (name === 'binary') return traits('binary', { binary: true, pads: false });
  const [, charset = '', rest = ''] = /^([^_]+)_(.*)$/.exec(name) ?? [];
  const words = rest.split('_');
  const has = (word: string): boolean => words.includes(word);
  const binary = has('bin');
  const known = [
    'bin',
    'ai',
    'as',
    'ci',
    'cs',
    'ks',
    'nopad',
    '0900',
    'uca1400',
    '520',
    'unicode',
    'general',
  ];
  const language = words.filter((word) => !known.includes(word)).join('_');
  return traits(charset === 'utf8' ? 'utf8mb3' : charset, {
    binary,
    language: LANGUAGES[language] ?? (/^[a-z]{2}$/.test(language) ? language : 'und'),
    accents: binary || has('as') || has('cs'),
    cases: binary || has('cs'),
    pads: !(has('nopad') || has('0900')),
    generation: generationOf(has),
  });
}

function traits(charset: string, given: Partial<CollationTraits>): CollationTraits {
  const rest = { language: 'und', accents: true, cases: true, pads: true, binary: false, generation: 0 };
  return { charset, ...rest, ...given };
}

function generationOf(has: (word: string) => boolean): number {
  if (has('0900') || has('uca1400')) return 4;
  if (has('520')) return 3;
  return has('unicode') ? 2 : 1;
}

/** Texts that differ by case or accents alone are equal. */
export function ignoresCase(collation: string): boolean {
  return !collationTraits(collation).cases;
}

/**
 * The collation itself when the server has it, or else the nearest one: rather one that tells more texts apart than one that
 * takes more for equal, since rows that the source tells apart must not collide. Undefined when there is none at all.
 */
export function nearestCollation(collation: string, available: ReadonlySet<string>): string | undefined {
  if (available.has(collation)) return collation;
  const wanted = collationTraits(collation);
  const distance = (name: string): number => {
    const offered = collationTraits(name);
    if (offered.charset !== wanted.charset && offered.charset !== 'utf8mb4') return Infinity;
    if (name === 'binary') return Infinity;
    return (
      (offered.charset === wanted.charset ? 0 : 200) +
      (offered.binary === wanted.binary ? 0 : 50) +
      apart(wanted.cases, offered.cases) +
      apart(wanted.accents, offered.accents) +
      apart(!wanted.pads, !offered.pads) / 10 +
      (offered.language === wanted.language ? 0 : 2) +
      Math.abs(offered.generation - wanted.generation) / 2
    );
  };
  let best: { readonly name: string; readonly far: number } | undefined;
  for (const name of [...available].toSorted()) {
    const far = distance(name);
    if (far < (best?.far ?? Infinity)) best = { name, far };
  }
  return best?.name;
}

function apart(wanted: boolean, offered: boolean): number {
  if (wanted === offered) return 0;
  return wanted ? 20 : 3;
}

/** What two collations do not agree on; empty when they compare alike, as far as names tell. */
export function collationDifferences(one: string, other: string): string[] {
  const [a, b] = [collationTraits(one), collationTraits(other)];
  return [
    ...(a.cases === b.cases ? [] : ['case']),
    ...(a.accents === b.accents ? [] : ['accents']),
    ...(a.pads === b.pads ? [] : ['spaces at the end']),
    ...(a.language === b.language ? [] : ['language']),
  ];
}

/**
 * PostgreSQL's counterpart of a collation that ignores case: the name of an ICU collation of rowferry's own, which tells all
 * about it: `rowferry_ai_ci`, `rowferry_sv_as_ci`, `rowferry_de_phonebk_ai_ci`.
 */
export function icuCollation(collation: string): string {
  const { language, accents } = collationTraits(collation);
  const label =
    language === 'und' ? '' : `${language.toLowerCase().replace('-u-co', '').replaceAll('-', '_')}_`;
  return `rowferry_${label}${accents ? 'as' : 'ai'}_ci`;
}

/** The ICU locale of a name that `icuCollation` gave. */
export function icuLocale(name: string): string {
  const [, label = '', accents] = /^rowferry_(?:(.+)_)?(ai|as)_ci$/.exec(name) ?? [];
  const [language = 'und', variant = ''] = (label === '' ? 'und' : label).split('_');
  const level = accents === 'as' ? 'ks-level2' : 'ks-level1';
  if (variant === 'phonebk' || variant === 'trad') return `${language}-u-co-${variant}-${level}`;
  return `${language}${variant === '' ? '' : `-${variant}`}-u-${level}`;
}
