/**
 * The parts of an expression as closures: literals, columns, operators and functions of the language that `expression.ts`
 * describes. Kinds (integer, text, condition) are checked while a part is made, so a row pays for nothing but the work.
 */
import { RowferryError } from '../errors.ts';
import type { IntegerKey } from './integer-key.ts';
import { integerKey } from './integer-key.ts';
import type { KeyReader } from './route-key.ts';
import { refusedKey, routeKeyError } from './route-key.ts';
import type { RouteKey } from './rule.ts';
import { xxHash64 } from './xxhash64.ts';

type Run<T> = (keys: readonly RouteKey[]) => T;

/** A part of an expression, in each form that it can be used in: a column has two, everything else one. */
export interface Part {
  /** Its character in the expression, from 1; of what an operator joins, the operator's. */
  readonly at: number;
  /** The first column in it, for messages. */
  readonly column?: string | undefined;
  readonly integer?: Run<IntegerKey> | undefined;
  readonly text?: Run<string> | undefined;
  readonly truth?: Run<boolean> | undefined;
  /** The value of an integer literal. */
  readonly literal?: IntegerKey;
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})(?:[ T]|$)/;
const SURROGATE = /[\ud800-\udfff]/;

export function integerPart(digits: string, at: number): Part {
  const literal = integerKey(digits, reader());
  return { at, integer: () => literal, literal };
}

export function textPart(text: string, at: number): Part {
  return { at, text: () => text };
}

/** The column whose value is the `index`-th key. */
export function columnPart(column: string, index: number, at: number): Part {
  const from = reader(column);
  return {
    at,
    column,
    integer: (keys) => integerKey(keys[index] ?? null, from),
    text: (keys) => keyText(keys[index] ?? null, from),
  };
}

export function opposite(part: Part, at: number): Part {
  const truth = truthOf(part, '"not"');
  return { at, column: part.column, truth: (keys) => !truth(keys) };
}

export function negative(part: Part, at: number): Part {
  const integer = integerOf(part, '"-"');
  return { at, column: part.column, integer: (keys) => subtract(0, integer(keys)) };
}

/** A function's call. Throws ROWFERRY_CONFIG_INVALID for an unknown function and for too few or too many values. */
export function call(name: string, at: number, values: readonly Part[]): Part {
  const known = FUNCTIONS.get(name.toLowerCase());
  if (known === undefined) {
    throw invalid(at, `expected a function, one of ${[...FUNCTIONS.keys()].join(', ')}; found "${name}"`);
  }
  const { least, most, usage, make } = known;
  if (values.length < least || values.length > most) {
    throw invalid(at, `expected ${usage}, found ${values.length} value${values.length === 1 ? '' : 's'}`);
  }
  const column = values.find((value) => value.column !== undefined)?.column;
  return { at, column, ...make(values, usage) };
}

export function binary(operator: string, at: number, left: Part, right: Part): Part {
  const column = left.column ?? right.column;
  const name = `"${operator}"`;
  if (operator === 'and' || operator === 'or') {
    const [a, b] = [truthOf(left, name), truthOf(right, name)];
    return {
      at,
      column,
      truth: operator === 'and' ? (keys) => a(keys) && b(keys) : (keys) => a(keys) || b(keys),
    };
  }
  const calculate = ARITHMETIC[operator];
  if (calculate === undefined) return { at, column, truth: comparison(operator, at, left, right) };
  const [a, b] = [integerOf(left, name), integerOf(right, name)];
  if (operator !== '/' && operator !== '%')
    return { at, column, integer: (keys) => calculate(a(keys), b(keys)) };
  return {
    at,
    column,
    integer: (keys) => {
      const divisor = b(keys);
      if (divisor === 0) throw divisionByZero(right);
      return calculate(a(keys), divisor);
    },
  };
}

function comparison(operator: string, at: number, left: Part, right: Part): Run<boolean> {
  const integers = left.integer !== undefined && right.integer !== undefined;
  const texts = left.text !== undefined && right.text !== undefined;
  if (integers === texts) {
    const how = integers ? 'int(…) or text(…) around both columns' : 'two integers or two texts';
    throw invalid(at, `expected ${how} beside "${operator}", found ${kindOf(left)} and ${kindOf(right)}`);
  }
  if (integers)
    return compared(operator, left.integer, right.integer, (a, b) => (a < b ? -1 : Number(a > b)));
  // By bytes: JavaScript's own order of texts puts some characters elsewhere than UTF-8 does.
  return compared(operator, left.text!, right.text!, (a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
}

/** `=` is `===`, as an integer has one form only. */
function compared<T>(operator: string, a: Run<T>, b: Run<T>, order: (a: T, b: T) => number): Run<boolean> {
  switch (operator) {
    case '=':
      return (keys) => a(keys) === b(keys);
    case '!=':
      return (keys) => a(keys) !== b(keys);
    case '<':
      return (keys) => order(a(keys), b(keys)) < 0;
    case '<=':
      return (keys) => order(a(keys), b(keys)) <= 0;
    case '>':
      return (keys) => order(a(keys), b(keys)) > 0;
    default:
      return (keys) => order(a(keys), b(keys)) >= 0;
  }
}

export function choice(condition: Part, yes: Part, no: Part): Part {
  const truth = truthOf(condition, '"?"');
  const part = {
    at: yes.at,
    column: condition.column ?? yes.column ?? no.column,
    integer: either(truth, yes.integer, no.integer),
    text: either(truth, yes.text, no.text),
    truth: either(truth, yes.truth, no.truth),
  };
  if ((part.integer ?? part.text ?? part.truth) !== undefined) return part;
  throw invalid(no.at, `expected ${kindOf(yes)} on both sides of ":", found ${kindOf(no)}`);
}

function either<T>(truth: Run<boolean>, yes?: Run<T>, no?: Run<T>): Run<T> | undefined {
  return yes && no && ((keys) => (truth(keys) ? yes(keys) : no(keys)));
}

/** Numbers while the result is safe: a sum or product that is not safe is never rounded to a safe one. */
const ARITHMETIC: Partial<Record<string, (a: IntegerKey, b: IntegerKey) => IntegerKey>> = {
  '+': (a, b) => {
    const sum = typeof a === 'number' && typeof b === 'number' ? a + b : NaN;
    return Number.isSafeInteger(sum) ? sum : narrowed(BigInt(a) + BigInt(b));
  },
  '-': subtract,
  '*': (a, b) => {
    const product = typeof a === 'number' && typeof b === 'number' ? a * b : NaN;
    return Number.isSafeInteger(product) ? product + 0 : narrowed(BigInt(a) * BigInt(b));
  },
  '/': (a, b) => {
    // The quotient of safe integers lies further from the next integer than rounding reaches, so its floor is exact.
    if (typeof a === 'number' && typeof b === 'number') return Math.floor(a / b) + 0;
    const [big, divisor] = [BigInt(a), BigInt(b)];
    const rest = big % divisor;
    return narrowed(big / divisor - (rest !== 0n && rest < 0n !== divisor < 0n ? 1n : 0n));
  },
  '%': (a, b) => {
    if (typeof a === 'number' && typeof b === 'number') {
      const rest = a % b;
      return rest < 0 ? rest + Math.abs(b) : rest + 0;
    }
    const divisor = BigInt(b);
    const rest = BigInt(a) % divisor;
    return narrowed(rest < 0n ? rest + (divisor < 0n ? -divisor : divisor) : rest);
  },
};

function subtract(a: IntegerKey, b: IntegerKey): IntegerKey {
  const difference = typeof a === 'number' && typeof b === 'number' ? a - b : NaN;
  return Number.isSafeInteger(difference) ? difference : narrowed(BigInt(a) - BigInt(b));
}

function narrowed(value: bigint): IntegerKey {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

type Made = Pick<Part, 'integer' | 'text'>;
type Make = (values: readonly Part[], usage: string) => Made;

const FUNCTIONS = new Map<string, { usage: string; least: number; most: number; make: Make }>([
  define('int(x)', 1, 1, ([x], usage) => {
    if (x!.integer !== undefined) return { integer: x!.integer };
    const [text, from] = [textOf(x!, usage), reader(x!.column)];
    return { integer: (keys) => integerKey(text(keys), from) };
  }),
  define('text(x)', 1, 1, ([x], usage) => ({ text: anyText(x!, usage) })),
  define('substr(text, start, length)', 3, 3, ([x, start, length], usage) => {
    const text = textOf(x!, usage);
    const [first, count] = [integerOf(start!, usage), integerOf(length!, usage)];
    return { text: (keys) => substring(text(keys), Number(first(keys)), Number(count(keys))) };
  }),
  define('length(text)', 1, 1, ([x], usage) => {
    const text = textOf(x!, usage);
    return { integer: (keys) => characters(text(keys)).length };
  }),
  define('lower(text)', 1, 1, ([x], usage) => {
    const text = textOf(x!, usage);
    return { text: (keys) => text(keys).replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) };
  }),
  define('upper(text)', 1, 1, ([x], usage) => {
    const text = textOf(x!, usage);
    return { text: (keys) => text(keys).replace(/[a-z]+/g, (letters) => letters.toUpperCase()) };
  }),
  define('year(date)', 1, 1, ([x], usage) => datePart(x!, usage, 1)),
  define('month(date)', 1, 1, ([x], usage) => datePart(x!, usage, 2)),
  define('day(date)', 1, 1, ([x], usage) => datePart(x!, usage, 3)),
  define('hash(x, seed)', 1, 2, ([x, seed], usage) => {
    const text = anyText(x!, usage);
    if (seed !== undefined && typeof seed.literal !== 'number') {
      throw invalid(seed.at, `expected an integer literal of 0 to ${Number.MAX_SAFE_INTEGER} as the seed`);
    }
    const [big, from] = [BigInt(seed?.literal ?? 0), reader(x!.column)];
    return {
      integer: (keys) => {
        const value = text(keys);
        if (value === '') throw routeKeyError(value, from, 'a value', 'empty');
        return narrowed(xxHash64(value, big));
      },
    };
  }),
  define('abs(x)', 1, 1, ([x], usage) => {
    const integer = integerOf(x!, usage);
    return {
      integer: (keys) => {
        const value = integer(keys);
        return value < 0 ? subtract(0, value) : value;
      },
    };
  }),
  define('min(x, …)', 1, Infinity, (values, usage) => extreme(values, usage, (a, b) => a < b)),
  define('max(x, …)', 1, Infinity, (values, usage) => extreme(values, usage, (a, b) => a > b)),
]);

function define(usage: string, least: number, most: number, make: Make) {
  return [usage.slice(0, usage.indexOf('(')), { usage, least, most, make }] as const;
}

function datePart(part: Part, usage: string, group: number): Made {
  const [text, from] = [textOf(part, usage), reader(part.column)];
  return {
    integer: (keys) => {
      const value = text(keys);
      const match = DATE.exec(value);
      if (match === null) throw routeKeyError(value, from, 'a date', 'not a date');
      return Number(match[group]);
    },
  };
}

function extreme(
  values: readonly Part[],
  usage: string,
  beats: (a: IntegerKey, b: IntegerKey) => boolean,
): Made {
  return {
    integer: values
      .map((value) => integerOf(value, usage))
      .reduce((a, b) => (keys) => {
        const [x, y] = [a(keys), b(keys)];
        return beats(y, x) ? y : x;
      }),
  };
}

function substring(text: string, start: number, length: number): string {
  const all = characters(text);
  const from = start < 0 ? all.length + start : start;
  if (from < 0 || length <= 0) return '';
  const part = all.slice(from, from + length);
  return typeof part === 'string' ? part : part.join('');
}

/** A text by code points; most texts are their own list of them. */
function characters(text: string): string | string[] {
  return SURROGATE.test(text) ? Array.from(text) : text;
}

/** A key as text: a number is its decimal text, bytes are base64 as the wire form of the column that holds them. */
function keyText(key: RouteKey, from: KeyReader): string {
  if (typeof key === 'string') return key;
  if (key instanceof Uint8Array)
    return Buffer.from(key.buffer, key.byteOffset, key.length).toString('base64');
  return String(integerKey(key, from));
}

export function integerOf(part: Part, by: string): Run<IntegerKey> {
  return part.integer ?? mismatch(part, by, 'an integer');
}

function textOf(part: Part, by: string): Run<string> {
  return part.text ?? mismatch(part, by, 'a text');
}

function truthOf(part: Part, by: string): Run<boolean> {
  return part.truth ?? mismatch(part, by, 'a condition such as a = 1');
}

function anyText(part: Part, by: string): Run<string> {
  const { text, integer } = part;
  return text ?? (integer && ((keys) => String(integer(keys)))) ?? mismatch(part, by, 'an integer or a text');
}

function mismatch(part: Part, by: string, expected: string): never {
  throw invalid(part.at, `expected ${expected} for ${by}, found ${kindOf(part)}`);
}

function kindOf({ integer, text }: Part): string {
  if (integer !== undefined) return text === undefined ? 'an integer' : 'a column';
  return text === undefined ? 'a condition' : 'a text';
}

function divisionByZero({ at, column }: Part): RowferryError {
  return refusedKey(reader(column), `the divisor at character ${at} of the expression is 0`, {
    hint: 'write the expression so that it never divides by 0, in a pipeline with another "name"',
  });
}

function reader(column?: string): KeyReader {
  return { algorithm: 'expression', ...(column === undefined ? {} : { by: column }) };
}

/** The error of an expression that cannot be read; `at` is the character, from 1. */
export function invalid(at: number, problem: string): RowferryError {
  return new RowferryError('ROWFERRY_CONFIG_INVALID', `expression, character ${at}: ${problem}`);
}
