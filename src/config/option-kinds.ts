/**
 * The kinds of values that options take. One rule set for all of them:
 *
 * - a count is a whole number;
 * - a name that ends in `Ms` is a duration: milliseconds as a number, or text with a unit (`500ms`, `15s`, `10m`, `24h`, `7d`);
 * - a name that ends in `Bytes` is a size: bytes as a number, or text with a unit (`200kB`, `16MiB`, `1GiB`);
 * - a number may be written as text, because that is what `${env:…}` makes of it.
 *
 * Messages never quote the value that was found: it may have come out of an environment variable.
 */
import { z } from 'zod';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** How an option looks from outside: in the manual and in the JSON Schema. */
interface OptionShape {
  /** Words for the manual's "type" column. */
  readonly type: string;
  readonly json: JsonSchema;
  /** Writes a default for people; JSON text when absent. */
  readonly show?: (value: unknown) => string;
}

type Reading<T> = { readonly value: T } | { readonly wrong: string };

const shapes = z.registry<OptionShape>();

/** The shape of a schema made by `option`, also behind `.describe()`; undefined for others. */
export function shapeOf(schema: z.core.$ZodType): OptionShape | undefined {
  return shapes.get(schema);
}

/** JSON Schema of text that holds an interpolation, which editors must let pass wherever a scalar is wanted. */
export const INTERPOLATED: JsonSchema = { type: 'string', pattern: '\\$\\{' };

/** Declares an option whose value `read` takes apart; `wrong` says what is wrong and how to mend it. */
export function option<T>(shape: OptionShape, read: (value: unknown) => Reading<T>) {
  const schema = z.unknown().transform((value, context): T => {
    const reading = value === undefined ? { wrong: 'is missing' } : read(value);
    if ('value' in reading) return reading.value;
    context.addIssue({ code: 'custom', message: reading.wrong, input: undefined });
    return z.NEVER;
  });
  shapes.add(schema, shape);
  return schema;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

export function wholeNumber({ min, max }: Range, mend?: string) {
  const wrong = `must be a whole number from ${min} to ${max}${mend === undefined ? '' : `; ${mend}`}`;
  return option(
    {
      type: 'whole number',
      json: { anyOf: [{ type: 'integer', minimum: min, maximum: max }, INTERPOLATED] },
    },
    (value) => within(numberOf(value), { min, max }, wrong),
  );
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/;

/** Milliseconds. `forever` may be allowed, which reads as -1. */
export function duration(range: Range, { forever = false } = {}) {
  const wrong =
    `must be a duration from ${showDuration(range.min)} to ${showDuration(range.max)}: milliseconds, or text such as 500ms, 15s, 24h` +
    (forever ? ', or `forever`' : '');
  return option(
    {
      type: forever ? 'duration or `forever`' : 'duration',
      json: {
        anyOf: [
          { type: 'integer', minimum: range.min, maximum: range.max },
          { type: 'string', pattern: `${DURATION.source}${forever ? '|^forever$' : ''}|\\$\\{` },
        ],
      },
      show: (value) => showDuration(Number(value)),
    },
    (value) => {
      if (forever && value === 'forever') return { value: -1 };
      return within(numberOf(value) ?? scaled(value, DURATION, DURATION_UNITS), range, wrong);
    },
  );
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};
const SIZE = /^(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|KiB|MiB|GiB)$/;

/** Bytes. */
export function size(range: Range) {
  const wrong = `must be a size from ${showSize(range.min)} to ${showSize(range.max)}: bytes, or text such as 200kB, 16MiB`;
  return option(
    {
      type: 'size',
      json: {
        anyOf: [
          { type: 'integer', minimum: range.min, maximum: range.max },
          { type: 'string', pattern: `${SIZE.source}|\\$\\{` },
        ],
      },
      show: (value) => showSize(Number(value)),
    },
    (value) => within(numberOf(value) ?? scaled(value, SIZE, SIZE_UNITS), range, wrong),
  );
}

export function yesNo() {
  return option(
    { type: '`true` or `false`', json: { anyOf: [{ type: 'boolean' }, INTERPOLATED] } },
    (value) => {
      if (typeof value === 'boolean') return { value };
      if (value === 'true' || value === 'false') return { value: value === 'true' };
      return { wrong: 'must be true or false' };
    },
  );
}

interface TextRules {
  /** Words for the manual, for example "`schema.table`". */
  readonly type?: string;
  readonly pattern?: RegExp;
  readonly max?: number;
  /** What the text must be, completing "must be …". */
  readonly what: string;
}

export function text({ type = 'text', pattern, max = 4096, what }: TextRules) {
  const json =
    pattern === undefined
      ? { type: 'string', minLength: 1 }
      : { type: 'string', pattern: `${pattern.source}|\\$\\{` };
  return option({ type, json }, (value) => {
    if (typeof value === 'number' || typeof value === 'boolean') {
      return { wrong: `must be ${what}, not a ${typeof value}; put it in quotes` };
    }
    if (typeof value !== 'string' || value === '') return { wrong: `must be ${what}` };
    if (value.length > max) return { wrong: `must be ${what} of at most ${max} characters` };
    if (pattern !== undefined && !pattern.test(value)) return { wrong: `must be ${what}` };
    return { value };
  });
}

export function showDuration(ms: number): string {
  if (ms === -1) return 'forever';
  return scaleDown(ms, { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 }) ?? `${ms}ms`;
}

export function showSize(bytes: number): string {
  const binary = { GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10 };
  return scaleDown(bytes, binary) ?? scaleDown(bytes, { GB: 1e9, MB: 1e6, kB: 1e3 }) ?? `${bytes}B`;
}

function scaleDown(value: number, units: Readonly<Record<string, number>>): string | undefined {
  const unit = Object.entries(units).find(([, factor]) => value >= factor && value % factor === 0);
  return unit === undefined ? undefined : `${value / unit[1]}${unit[0]}`;
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

function scaled(
  value: unknown,
  pattern: RegExp,
  units: Readonly<Record<string, number>>,
): number | undefined {
  const [, digits, unit] = (typeof value === 'string' && pattern.exec(value)) || [];
  const factor = unit === undefined ? undefined : units[unit];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}

function within(value: number | undefined, { min, max }: Range, wrong: string): Reading<number> {
  const fits = value !== undefined && Number.isSafeInteger(value) && value >= min && value <= max;
  return fits ? { value } : { wrong };
}
