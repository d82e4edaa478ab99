/**
 * Quantities as rules write them (`60 s`, `0.1%`, `1000 records/minute`), read into the one unit that each dimension is measured
 * in. A decimal becomes the nearest double at once (`0.7%` is 0.007, not 0.7 / 100), so that a limit equals the measured value
 * that a person would call equal.
 */

/** Measured in seconds, parts of one (1 is 100 %), pieces, bytes, pieces a second. */
export const DIMENSIONS = ['duration', 'share', 'count', 'bytes', 'rate'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export type Reading = { readonly value: number } | { readonly wrong: string };

const SECONDS: Readonly<Record<string, number>> = {
  ...spellings(1, 's', 'sec', 'second', 'seconds'),
  ...spellings(60, 'm', 'min', 'minute', 'minutes'),
  ...spellings(3_600, 'h', 'hour', 'hours'),
  ...spellings(86_400, 'd', 'day', 'days'),
};

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const NOUNS = ['rows', 'row', 'records', 'record', 'statements', 'statement', 'tables', 'table', 'bytes'];

/** Units of each dimension, for messages and the manual. */
export const UNITS: Readonly<Record<Dimension, string>> = {
  duration: 'ms, s, min, h, d',
  share: '%',
  count: 'no unit',
  bytes: 'B, kB, MB, GB, KiB, MiB, GiB',
  rate: 'records/s, records/min, records/h',
};

/** Reads a number (digits with an optional fraction) and its unit (empty for none). What is wrong names the unit. */
export function readQuantity(digits: string, unit: string, dimension: Dimension): Reading {
  const found = dimensionOf(unit);
  if (found === undefined) return { wrong: `${unit} is no unit; known are ${units()}` };
  if (unit === '' && (dimension === 'count' || Number(digits) === 0)) return { value: Number(digits) };
  if (unit === '') return { wrong: `needs a unit: ${UNITS[dimension]}` };
  if (!found.includes(dimension)) {
    const wanted = dimension === 'count' ? 'a plain number' : UNITS[dimension];
    return { wrong: `${unit} does not fit here, where ${wanted} is meant` };
  }
  return { value: scale(digits, unit) };
}

/** Reads a whole text such as `2 min`. */
export function parseQuantity(text: string, dimension: Dimension): Reading {
  const [, digits, unit] = /^\s*(\d+(?:\.\d+)?)\s*(\S*)\s*$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return { wrong: 'must be a number, such as 10 or 2.5' };
  return readQuantity(digits, unit, dimension);
}

/** A measured value for people: `61 s`, `3 min 30 s`, `0.11 %`, `900 records/min`. */
export function formatQuantity(value: number, dimension: Dimension): string {
  switch (dimension) {
    case 'duration': {
      if (value !== 0 && Math.abs(value) < 1) return `${round(value * 1000)} ms`;
      return value < 120 ? `${round(value)} s` : longDuration(Math.round(value));
    }
    case 'share':
      return `${round(value * 100)} %`;
    case 'rate':
      return value < 100 ? `${round(value * 60)} records/min` : `${round(value)} records/s`;
    case 'bytes': {
      const [name = 'B', size = 1] =
        Object.entries(BYTES).findLast(([unit, factor]) => /^B$|i/.test(unit) && value >= factor) ?? [];
      return `${round(value / size)} ${name}`;
    }
    case 'count':
      return round(value);
  }
}

/** The two largest units: `3 min 30 s`, `2 h 5 min`, `3 d`. */
function longDuration(seconds: number): string {
  const units = [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ] as const;
  const first = units.findIndex(([, size]) => seconds >= size);
  const [[name, size], [smaller, part]] = [units[first] ?? units[2], units[first + 1] ?? units[3]];
  const rest = Math.floor((seconds % size) / part);
  return `${Math.floor(seconds / size)} ${name}${rest === 0 ? '' : ` ${rest} ${smaller}`}`;
}

/** `1 min`, `90 s`: a duration of the configuration as rules write it, exactly. */
export function formatDuration(ms: number): string {
  const unit = [
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const;
  const [name, factor] = unit.find(([, factor]) => ms >= factor && ms % factor === 0) ?? ['ms', 1];
  return `${ms / factor} ${name}`;
}

function dimensionOf(unit: string): readonly Dimension[] | undefined {
  if (unit === '') return ['count'];
  if (unit === '%') return ['share'];
  if (unit === 'ms' || Object.hasOwn(SECONDS, unit)) return ['duration'];
  if (Object.hasOwn(BYTES, unit)) return ['bytes'];
  if (NOUNS.includes(unit)) return unit === 'bytes' ? ['bytes'] : ['count'];
  const [noun = '', time = '', ...more] = unit.split('/');
  const isRate = NOUNS.includes(noun) && Object.hasOwn(SECONDS, time) && more.length === 0;
  return isRate ? ['rate'] : undefined;
}

function scale(digits: string, unit: string): number {
  if (unit === '%') return Number(`${digits}e-2`);
  if (unit === 'ms') return Number(`${digits}e-3`);
  const time = unit.split('/')[1];
  if (time !== undefined) return Number(digits) / (SECONDS[time] ?? 1);
  return Number(digits) * (SECONDS[unit] ?? BYTES[unit] ?? 1);
}

function units(): string {
  return Object.values(UNITS)
    .filter((list) => list !== UNITS.count)
    .join(', ');
}

function round(value: number): string {
  return value.toLocaleString('en-US', {
    maximumSignificantDigits: value >= 1000 ? 15 : 4,
    maximumFractionDigits: 3,
  });
}

function spellings(factor: number, ...names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, factor]));
}
