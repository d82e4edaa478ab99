/** Random rows of the shop, with the values that conversions get wrong: extremes, NULL, empty text, other scripts, quotes. */
import type { Random } from './random.ts';

const WORDS =
  'tea, Käse, 寿司, café, naïve, Ω, "quoted", it\'s, back\\slash, 100 %, _under_, 🚢, 🧀🍞, <b>, tab\tbed, line\nbreak'.split(
    ', ',
  );
const STATUS = ['new', 'paid', 'shipped', 'returned'] as const;
const EXTRAS = ['', 'gift', 'express', 'gift,insured', 'gift,express,insured'] as const;
const AMOUNTS = ['0.00', '0.01', '9999999999.99', '-9999999999.99', '1234.50'] as const;
const DOUBLES = [0, 0.1, -0.25, 1e-300, 1.7976931348623157e308, 0.30000000000000004, 123456789.125] as const;

export function userRow(random: Random, id: number): readonly unknown[] {
  return [
    id,
    `user-${id}@example.com`,
    sentence(random, 2, 60),
    random.chance(0.9) ? 1 : 0,
    decimal(random, 1_000_000, 4),
    random.chance(0.2) ? null : date(random),
    random.chance(0.2) ? null : json(random),
    datetime(random),
  ];
}

export function productRow(random: Random, id: number): readonly unknown[] {
  return [
    id,
    `SKU-${String(id).padStart(6, '0')}`,
    sentence(random, 4, 120),
    decimal(random, 100_000, 2),
    random.chance(0.1) ? null : Math.fround(random.next() * 100),
    random.chance(0.1) ? null : JSON.stringify(WORDS.filter(() => random.chance(0.2))),
  ];
}

export function orderRow(random: Random, id: number, users: number, products: number): readonly unknown[] {
  return [
    id,
    random.between(1, users),
    random.between(1, products),
    random.pick(STATUS),
    random.pick(EXTRAS),
    random.chance(0.02) ? 65_535 : random.between(1, 50),
    amount(random),
    random.chance(0.3) ? null : random.chance(0.3) ? random.pick(DOUBLES) : random.next(),
    note(random),
    random.chance(0.2) ? null : json(random),
    random.chance(0.4) ? null : bytes(random),
    random.chance(0.3) ? null : date(random),
    datetime(random),
  ];
}

export function status(random: Random): string {
  return random.pick(STATUS);
}

export function amount(random: Random): string {
  return random.chance(0.05) ? random.pick(AMOUNTS) : decimal(random, 10_000, 2);
}

export function note(random: Random): string | null {
  if (random.chance(0.15)) return null;
  return random.chance(0.1) ? '' : sentence(random, 6, 180);
}

export function json(random: Random): string {
  return JSON.stringify({
    words: [random.pick(WORDS), random.pick(WORDS)],
    count: random.between(-5, 1_000_000),
    ratio: random.chance(0.5) ? 0.5 : 12.25,
    '2': null,
    nested: { deep: random.chance(0.5), empty: {}, list: [] },
  });
}

function sentence(random: Random, words: number, length: number): string {
  const text = Array.from({ length: random.between(1, words) }, () => random.pick(WORDS)).join(' ');
  // By code points: half an emoji is no text.
  return Array.from(text).slice(0, length).join('');
}

function decimal(random: Random, whole: number, digits: number): string {
  const fraction = String(random.between(0, 10 ** digits - 1)).padStart(digits, '0');
  return `${random.between(0, whole)}.${fraction}`;
}

function date(random: Random): string {
  return new Date(Date.UTC(random.between(1950, 2037), random.between(0, 11), random.between(1, 28)))
    .toISOString()
    .slice(0, 10);
}

function datetime(random: Random): string {
  const micros = String(random.between(0, 999_999)).padStart(6, '0');
  return `${date(random)} ${time(random)}.${random.chance(0.1) ? '000000' : micros}`;
}

function time(random: Random): string {
  return [random.between(0, 23), random.between(0, 59), random.between(0, 59)]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/** Zero bytes at both ends now and then. */
function bytes(random: Random): Buffer {
  const content = Buffer.from(Array.from({ length: random.between(0, 40) }, () => random.between(0, 255)));
  return random.chance(0.2) ? Buffer.concat([Buffer.alloc(1), content, Buffer.alloc(2)]) : content;
}
