/**
 * The expression language of the `expression` rule: a sharding rule without code, for example `user_id / 64 % 4`,
 * `int(substr(phone, -1, 1))` or `(year(created) - 2024) * 4 + user_id % 4`.
 *
 * | write                              | means                                                                            |
 * |------------------------------------|----------------------------------------------------------------------------------|
 * | `user_id`, `` `order no` ``        | the value of a column; in back-ticks (doubled inside) any name may stand         |
 * | `64`, `'eu'`                       | an integer, a text (`''` inside a text is one quote; a backslash is a backslash) |
 * | `a + b`, `a - b`, `a * b`, `-a`    | exact for integers of any size                                                   |
 * | `a / b`                            | division rounded down: 7 / 2 is 3, -7 / 2 is -4                                  |
 * | `a % b`                            | the remainder, never negative: -1 % 4 is 3                                       |
 * | `=` `!=` `<` `<=` `>` `>=`         | compare integers with integers or texts with texts (by their UTF-8 bytes)        |
 * | `not p`, `p and q`, `p or q`       | join conditions; what decides first ends it                                      |
 * | `p ? a : b`                        | a where the condition p holds, otherwise b; only that one is computed            |
 * | `int(x)`                           | the integer that a text spells: `int('007')` is 7                                |
 * | `text(x)`                          | the text of an integer; of a column its text as it stands                        |
 * | `substr(x, start, length)`         | characters of a text; start counts from 0, below 0 from the end (-1 is the last) |
 * | `length(x)`                        | how many characters a text has                                                   |
 * | `lower(x)`, `upper(x)`             | change the letters a-z and A-Z, and no others                                    |
 * | `year(x)`, `month(x)`, `day(x)`    | parts of a date, `YYYY-MM-DD` and what may follow; digits as they stand          |
 * | `hash(x)`, `hash(x, seed)`         | xxHash64 of the UTF-8 text of x, 0 to 2^64-1; seed is a literal, 0 by itself     |
 * | `abs(x)`, `min(x, …)`, `max(x, …)` | of integers                                                                      |
 *
 * From the strongest: `-a`; `* / %`; `+ -`; comparisons; `not`; `and`; `or`; `? :`. Parentheses group. Letter case matters in
 * texts only: keywords, functions and columns are known in any case.
 *
 * A column is an integer where an integer is needed (arithmetic, beside an integer, the result), otherwise a text, so a number
 * and its decimal text are the same key; bytes are their base64. Two columns beside each other say which is meant:
 * `int(a) = int(b)`. `substr` answers what there is when the text is too short, the empty text when it starts outside. `hash`
 * refuses the empty text. A character is a Unicode code point.
 */
import type { RowferryError } from '../errors.ts';
import type { Part } from './expression-parts.ts';
import {
  binary,
  call,
  choice,
  columnPart,
  integerOf,
  integerPart,
  invalid,
  negative,
  opposite,
  textPart,
} from './expression-parts.ts';
import type { IntegerKey } from './integer-key.ts';
import type { RouteKey } from './rule.ts';

interface Expression {
  /** Distinct columns in order of their appearance, as first spelled; `evaluate` takes their values in this order. */
  readonly columns: readonly string[];
  /** The value for one row. Throws ROWFERRY_ROUTE_KEY, by column and kind and never by value. */
  readonly evaluate: (keys: readonly RouteKey[]) => IntegerKey;
}

interface Token {
  readonly kind: 'integer' | 'text' | 'column' | 'name' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
}

const MAX_LENGTH = 1000;
/** Parentheses, calls, `not`, `-` and branches within each other; bounds the parser's stack. */
const MAX_NESTING = 64;
const MAX_DIGITS = 40;
const TOKEN =
  /(\d+)|'((?:[^']|'')*)'|`((?:[^`]|``)+)`|([A-Za-z_][A-Za-z0-9_$]*)|(<=|>=|!=|[-+*/%=<>?:(),])|$/y;
const SPACE = /\s*/y;
const KEYWORDS = new Set(['and', 'or', 'not']);

/** How strongly an operator binds; `? :` is 0. */
const POWER = new Map([
  ['or', 1],
  ['and', 2],
  ...['=', '!=', '<', '<=', '>', '>='].map((operator) => [operator, 4] as const),
  ...['+', '-'].map((operator) => [operator, 5] as const),
  ...['*', '/', '%'].map((operator) => [operator, 6] as const),
]);
const NOT_POWER = 3;
const MINUS_POWER = 7;

/** Reads an expression. Throws ROWFERRY_CONFIG_INVALID with the character (from 1) and what was expected there. */
export function compileExpression(source: string): Expression {
  if (source.length > MAX_LENGTH) throw invalid(MAX_LENGTH + 1, `expected at most ${MAX_LENGTH} characters`);
  const parser = new Parser(tokensOf(source));
  const evaluate = integerOf(parser.whole(), 'the result');
  if (parser.columns.length === 0) {
    throw invalid(1, 'expected a column somewhere: without one every row has the same shard');
  }
  return { columns: parser.columns, evaluate };
}

function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  let next = 0;
  for (;;) {
    SPACE.lastIndex = next;
    SPACE.exec(source);
    const start = SPACE.lastIndex;
    const at = start + 1;
    TOKEN.lastIndex = start;
    const match = TOKEN.exec(source);
    if (match === null) throw invalid(at, strange(source[start]!));
    next = TOKEN.lastIndex;
    const [, integer, text, column, name, symbol] = match;
    if (integer !== undefined) tokens.push({ kind: 'integer', text: integer, at });
    else if (text !== undefined) tokens.push({ kind: 'text', text: text.replaceAll("''", "'"), at });
    else if (column !== undefined) tokens.push({ kind: 'column', text: column.replaceAll('``', '`'), at });
    else if (name !== undefined) {
      const lower = name.toLowerCase();
      tokens.push(
        KEYWORDS.has(lower) ? { kind: 'symbol', text: lower, at } : { kind: 'name', text: name, at },
      );
    } else if (symbol !== undefined) tokens.push({ kind: 'symbol', text: symbol, at });
    else {
      tokens.push({ kind: 'end', text: '', at });
      return tokens;
    }
  }
}

function strange(character: string): string {
  if (character === "'") return "expected a closing ' of the text that begins here";
  if (character === '`') return 'expected a column name and a closing ` here';
  if (character === '.')
    return 'expected an integer: there are no fractions, and no table names before columns';
  return `expected a column, an integer, a 'text' or an operator (+ - * / % = != < <= > >= and or not ? :), found ${JSON.stringify(character)}`;
}

/** A Pratt parser that makes the closures at once; kinds (integer, text, condition) are checked here and not per row. */
class Parser {
  readonly columns: string[] = [];
  readonly #tokens: readonly Token[];
  #next = 0;
  #nesting = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Part {
    const part = this.#parse(0);
    if (this.#peek().kind !== 'end') throw this.#unexpected('an operator or the end');
    return part;
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #skip(symbol: string): boolean {
    const token = this.#peek();
    const found = token.kind === 'symbol' && token.text === symbol;
    if (found) this.#next++;
    return found;
  }

  #expect(symbol: string): void {
    if (!this.#skip(symbol)) throw this.#unexpected(`"${symbol}"`);
  }

  #unexpected(expected: string): RowferryError {
    const { kind, text, at } = this.#peek();
    const found = kind === 'end' ? 'the end' : kind === 'text' ? 'a text' : `"${text}"`;
    return invalid(at, `expected ${expected}, found ${found}`);
  }

  #parse(weakest: number): Part {
    let left = this.#operand();
    for (;;) {
      const { kind, text, at } = this.#peek();
      const power = kind === 'symbol' ? POWER.get(text) : undefined;
      if (power === undefined || power < weakest) break;
      this.#next++;
      left = binary(text, at, left, this.#parse(power + 1));
    }
    if (weakest > 0 || !this.#skip('?')) return left;
    const yes = this.#nested(0);
    this.#expect(':');
    return choice(left, yes, this.#nested(0));
  }

  #nested(weakest: number): Part {
    if (++this.#nesting > MAX_NESTING) {
      throw invalid(this.#peek().at, `expected at most ${MAX_NESTING} levels of nesting`);
    }
    const part = this.#parse(weakest);
    this.#nesting--;
    return part;
  }

  #operand(): Part {
    const { kind, text, at } = this.#peek();
    if (kind === 'integer') {
      if (text.length > MAX_DIGITS) throw invalid(at, `expected at most ${MAX_DIGITS} digits`);
      this.#next++;
      return integerPart(text, at);
    }
    if (kind === 'text') {
      this.#next++;
      return textPart(text, at);
    }
    if (kind === 'column') {
      this.#next++;
      return this.#column(text, at);
    }
    if (kind === 'name') {
      this.#next++;
      return this.#skip('(') ? this.#call(text, at) : this.#column(text, at);
    }
    if (this.#skip('(')) {
      const part = this.#nested(0);
      this.#expect(')');
      return part;
    }
    if (this.#skip('not')) return opposite(this.#nested(NOT_POWER), at);
    if (this.#skip('-')) return negative(this.#nested(MINUS_POWER), at);
    throw this.#unexpected('a value (a column, an integer, a \'text\', a function or "(")');
  }

  #column(name: string, at: number): Part {
    const known = this.columns.findIndex((column) => column.toLowerCase() === name.toLowerCase());
    const index = known < 0 ? this.columns.push(name) - 1 : known;
    return columnPart(this.columns[index]!, index, at);
  }

  #call(name: string, at: number): Part {
    const values: Part[] = [];
    if (!this.#skip(')')) {
      do values.push(this.#nested(0));
      while (this.#skip(','));
      this.#expect(')');
    }
    return call(name, at, values);
  }
}
