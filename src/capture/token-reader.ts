/** Walks over the tokens of a statement, or of one clause of it. */
import type { Token } from './tokens.ts';

/** A name with or without a schema. */
export interface NamedTable {
  readonly schema: string;
  /** Empty when the text did not tell it. */
  readonly table: string;
}

export class TokenReader {
  readonly #tokens: readonly Token[];
  readonly #schema: string;
  #at = 0;

  /** `schema` is that of names without one. */
  constructor(tokens: readonly Token[], schema: string) {
    this.#tokens = tokens;
    this.#schema = schema;
  }

  get ended(): boolean {
    return this.#at >= this.#tokens.length;
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }

  /** The keyword that comes, in capitals; empty for all else. */
  peekWord(ahead = 0): string {
    const token = this.peek(ahead);
    return token?.kind === 'word' ? token.text.toUpperCase() : '';
  }

  word(): string {
    const word = this.peekWord();
    this.#at++;
    return word;
  }

  /** Whether these words or marks come next. */
  comes(...words: readonly string[]): boolean {
    return words.every((word, i) => {
      const token = this.peek(i);
      return (token?.kind === 'word' || token?.kind === 'mark') && token.text.toUpperCase() === word;
    });
  }

  /** Steps over these words when they come next, all or none. */
  skip(...words: readonly string[]): boolean {
    const here = this.comes(...words);
    if (here) this.#at += words.length;
    return here;
  }

  /** Steps over the first of these words that comes next. */
  skipOne(words: readonly string[]): boolean {
    return words.some((word) => this.skip(word));
  }

  /** Steps over any one token. */
  step(): void {
    this.#at++;
  }

  identifier(): string | null {
    const token = this.peek();
    if (token === undefined || token.text === '' || token.kind === 'mark' || token.kind === 'string')
      return null;
    this.#at++;
    return token.text;
  }

  /** The text of a string literal. */
  string(): string | null {
    const token = this.peek();
    if (token?.kind !== 'string' && token?.kind !== 'double') return null;
    this.#at++;
    return token.value;
  }

  /** A whole number without a sign. */
  integer(): number | null {
    const word = this.peekWord();
    if (!/^\d{1,9}$/.test(word)) return null;
    this.#at++;
    return Number(word);
  }

  /** What stands in the parentheses that come next; null when none come or they do not close. */
  group(): readonly Token[] | null {
    if (!this.comes('(')) return null;
    const start = this.#at;
    let depth = 0;
    for (let at = start; at < this.#tokens.length; at++) {
      const token = this.#tokens[at];
      if (token?.kind !== 'mark') continue;
      if (token.text === '(') depth++;
      if (token.text === ')') depth--;
      if (depth > 0) continue;
      this.#at = at + 1;
      return this.#tokens.slice(start + 1, at);
    }
    return null;
  }

  name(): NamedTable | null {
    const first = this.identifier();
    if (first === null) return null;
    if (!this.skip('.')) return { schema: this.#schema, table: first };
    return { schema: first, table: this.identifier() ?? '' };
  }

  /** All that is left. */
  rest(): readonly Token[] {
    return this.#tokens.slice(this.#at);
  }

  hasWord(word: string): boolean {
    return this.#tokens.some((token) => token.kind === 'word' && token.text.toUpperCase() === word);
  }
}

/** Parts between commas that stand in no parentheses. Null when parentheses do not match. */
export function splitAtCommas(tokens: readonly Token[]): Token[][] | null {
  const parts: Token[][] = [];
  let part: Token[] = [];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === 'mark') {
      if (token.text === '(') depth++;
      if (token.text === ')') depth--;
      if (depth < 0) return null;
      if (token.text === ',' && depth === 0) {
        parts.push(part);
        part = [];
        continue;
      }
    }
    part.push(token);
  }
  parts.push(part);
  return depth === 0 ? parts : null;
}
