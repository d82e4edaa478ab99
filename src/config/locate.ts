/** Reads YAML into plain values and remembers where each of them stands, so that every problem can name its place. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, Node, Pair } from 'yaml';
import { interpolate } from './interpolate.ts';
import type { Surroundings } from './interpolate.ts';

export type Path = readonly (string | number)[];

/** Something wrong at a path of the configuration. `key` points at the last name of the path, not at its value. */
export interface Problem {
  readonly path: Path;
  readonly at: 'key' | 'value';
  readonly message: string;
  /** Offset of the mistake in the text of the value; 0 when absent. */
  readonly within?: number;
}

/** One printable line, and where in the text it belongs. */
export interface LocatedProblem {
  readonly offset: number;
  readonly line: string;
}

/** `sources.main.tables[1]`. */
export function formatPath(path: Path): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join('');
}

export class LocatedYaml {
  readonly file: string;
  /** Plain values, interpolated; undefined when the file is empty or its YAML is broken. */
  readonly value: unknown;
  /** Broken YAML and interpolations that failed, ready to print, with their place. */
  readonly problems: readonly LocatedProblem[];
  readonly #lines = new LineCounter();
  readonly #document: Document;
  readonly #text: string;
  readonly #offsets = new Map<string, { readonly key: number; readonly value: number }>();
  /** Where the text of a value begins, for values that stand in the file letter by letter. */
  readonly #starts = new Map<string, number>();
  readonly #open = new Set<Node>();
  readonly #problems: { readonly offset: number; readonly message: string }[] = [];
  readonly #failed = new Set<string>();
  readonly #surroundings: Surroundings;

  constructor(file: string, text: string, surroundings: Surroundings) {
    this.file = file;
    this.#text = text;
    this.#surroundings = surroundings;
    this.#document = parseDocument(text, { lineCounter: this.#lines });
    const [broken] = this.#document.errors.filter((error) => error.code !== 'DUPLICATE_KEY');
    if (broken !== undefined) {
      // Only the first, and only its code: the rest follows from it, and the parser's text quotes the file.
      const what = broken.code.toLowerCase().replaceAll('_', ' ');
      const message = `broken YAML (${what}); text that holds { } [ ] , * # or ": " needs quotes around it`;
      this.#problems.push({ offset: broken.pos[0], message });
    }
    for (const error of this.#document.errors) {
      if (error.code !== 'DUPLICATE_KEY') continue;
      this.#problems.push({ offset: error.pos[0], message: 'this name is there twice; keep one of them' });
    }
    for (const warning of this.#document.warnings) {
      this.#problems.push({
        offset: warning.pos[0],
        message: 'text that starts with ! is a tag to YAML; put quotes around it',
      });
    }
    this.value = broken !== undefined ? undefined : this.#read(this.#document.contents, []);
    this.problems = this.#problems.map(({ offset, message }) => ({
      offset,
      line: `${this.#placeAt(offset)}: ${message}`,
    }));
  }

  /** Whether the value at this path could not be interpolated: its problem is told already. */
  failed(path: Path): boolean {
    return this.#failed.has(formatPath(path));
  }

  /** `file:line:column` of a path, or of its nearest existing ancestor. */
  place(path: Path, at: 'key' | 'value' = 'value'): string {
    return this.#placeAt(this.#offset(path, at));
  }

  /** The problem in one line, and an offset to sort by. */
  locate(problem: Problem): LocatedProblem {
    const start = problem.within === undefined ? undefined : this.#starts.get(formatPath(problem.path));
    const offset =
      start === undefined ? this.#offset(problem.path, problem.at) : start + (problem.within ?? 0);
    const path = problem.path.length === 0 ? '' : `${formatPath(problem.path)}: `;
    return { offset, line: `${this.#placeAt(offset)}: ${path}${problem.message}` };
  }

  #offset(path: Path, at: 'key' | 'value'): number {
    const own = this.#offsets.get(formatPath(path));
    if (own !== undefined) return own[at];
    for (let length = path.length - 1; length > 0; length -= 1) {
      const ancestor = this.#offsets.get(formatPath(path.slice(0, length)));
      if (ancestor !== undefined) return ancestor.key;
    }
    return 0;
  }

  #placeAt(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  }

  #read(node: unknown, path: Path): unknown {
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target === undefined || this.#open.has(target)) {
        this.#problems.push({ offset: offsetOf(node), message: 'an alias must not hold itself' });
        return null;
      }
      return this.#read(target, path);
    }
    if (isScalar(node)) {
      if (typeof node.value !== 'string') return node.value;
      const { text, problems } = interpolate(node.value, this.#surroundings);
      if (problems.length > 0) this.#failed.add(formatPath(path));
      const quote = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE' ? 1 : 0;
      const start = offsetOf(node) + quote;
      if (this.#text.startsWith(text, start)) this.#starts.set(formatPath(path), start);
      for (const message of problems) {
        this.#problems.push({ offset: offsetOf(node), message: `${formatPath(path)}: ${message}` });
      }
      return text;
    }
    if (!isMap(node) && !isSeq(node)) return null;
    this.#open.add(node);
    const value = isMap(node)
      ? Object.fromEntries(node.items.map((pair) => this.#readPair(pair, path)))
      : node.items.map((item, i) => {
          this.#offsets.set(formatPath([...path, i]), { key: offsetOf(item), value: offsetOf(item) });
          return this.#read(item, [...path, i]);
        });
    this.#open.delete(node);
    return value;
  }

  #readPair(pair: Pair, path: Path): [string, unknown] {
    const name = isScalar(pair.key) ? String(pair.key.value) : '?';
    const own = [...path, name];
    const key = offsetOf(pair.key);
    this.#offsets.set(formatPath(own), { key, value: offsetOf(pair.value) || key });
    const value = this.#read(pair.value, own);
    // A section whose lines are all commented out is an empty section.
    return [name, value === null && path.length === 0 ? undefined : value];
  }
}

function offsetOf(node: unknown): number {
  if (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) return node.range?.[0] ?? 0;
  return 0;
}
