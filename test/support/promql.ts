/**
 * Enough of Prometheus to check generated rules: comparisons of a series with a number, `and` / `or` with `ignoring`,
 * parentheses, and the life of an alert (pending, firing, gone) as Prometheus' rule manager has it.
 */

export type Labels = Readonly<Record<string, string>>;

export interface Series {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

const TOKEN =
  /\s*([A-Za-z_][A-Za-z0-9_]*|\d+(?:\.\d+)?(?:e[+-]?\d+)?|>=|<=|==|!=|[><(){},=]|"(?:[^"\\]|\\.)*")/y;

interface Element {
  readonly labels: Labels;
  readonly value: number;
}

/** The instant vector of an expression. */
export function promEvaluate(expression: string, series: readonly Series[]): Element[] {
  const tokens: string[] = [];
  for (let at = 0; at < expression.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(expression)?.[1];
    if (token === undefined) throw new Error(`not PromQL from ${at} on: ${expression}`);
    tokens.push(token);
  }
  let next = 0;
  const take = (wanted?: string): string => {
    const token = tokens[next++] ?? 'the end';
    if (wanted !== undefined && token !== wanted)
      throw new Error(`${token} instead of ${wanted}: ${expression}`);
    return token;
  };
  const ignoring = (): string[] => {
    if (tokens[next] !== 'ignoring') return [];
    const names: string[] = [];
    take();
    take('(');
    while (tokens[next] !== ')') {
      names.push(take());
      if (tokens[next] === ',') take();
    }
    take(')');
    return names;
  };
  const key = (labels: Labels, without: readonly string[] = []): string =>
    JSON.stringify(
      Object.entries(labels)
        .filter(([name, value]) => value !== '' && !without.includes(name))
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  const or = (): Element[] => {
    let left = and();
    while (tokens[next] === 'or') {
      take();
      const names = ignoring();
      const seen = new Set(left.map(({ labels }) => key(labels, names)));
      left = [...left, ...and().filter(({ labels }) => !seen.has(key(labels, names)))];
    }
    return left;
  };
  const and = (): Element[] => {
    let left = unit();
    while (tokens[next] === 'and') {
      take();
      const names = ignoring();
      const right = new Set(unit().map(({ labels }) => key(labels, names)));
      left = left.filter(({ labels }) => right.has(key(labels, names)));
    }
    return left;
  };
  const unit = (): Element[] => {
    if (tokens[next] === '(') {
      take();
      const inner = or();
      take(')');
      return inner;
    }
    const name = take();
    const matchers: ((labels: Labels) => boolean)[] = [];
    if (tokens[next] === '{') {
      take();
      while (tokens[next] !== '}') {
        const [label, sign, value] = [take(), take(), JSON.parse(take()) as string];
        matchers.push((labels) => ((labels[label] ?? '') === value) === (sign === '='));
        if (tokens[next] === ',') take();
      }
      take('}');
    }
    const [operator, limit] = [take(), Number(take())];
    return series
      .filter((one) => one.name === name && matchers.every((matcher) => matcher(one.labels)))
      .filter(({ value }) => compare(value, operator, limit));
  };
  const result = or();
  if (next !== tokens.length) throw new Error(`${tokens[next]} is left over: ${expression}`);
  return result.map(({ labels, value }) => ({ labels, value }));
}

function compare(value: number, operator: string, limit: number): boolean {
  switch (operator) {
    case '>':
      return value > limit;
    case '>=':
      return value >= limit;
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
    case '==':
      return value === limit;
    case '!=':
      return value !== limit;
    default:
      throw new Error(`${operator} is no comparison`);
  }
}

/** One alerting rule over time. */
export class PromAlert {
  readonly #expression: string;
  readonly #forMs: number;
  readonly #keepMs: number;
  #active = new Map<string, Life>();

  constructor(expression: string, duration: string | undefined, keepFiring: string | undefined) {
    this.#expression = expression;
    this.#forMs = milliseconds(duration);
    this.#keepMs = milliseconds(keepFiring);
  }

  /** Labels of the alerts that fire after this evaluation. */
  evaluate(series: readonly Series[], nowMs: number): Labels[] {
    const now = new Map<string, Life>();
    for (const { labels } of promEvaluate(this.#expression, series)) {
      const key = JSON.stringify(labels);
      const { atMs, fires } = this.#active.get(key) ?? { atMs: nowMs, fires: false };
      now.set(key, { labels, atMs, fires: fires || nowMs - atMs >= this.#forMs, clearMs: null });
    }
    for (const [key, life] of this.#active) {
      const clearMs = life.clearMs ?? nowMs;
      if (!now.has(key) && life.fires && nowMs - clearMs < this.#keepMs) now.set(key, { ...life, clearMs });
    }
    this.#active = now;
    return [...now.values()].filter(({ fires }) => fires).map(({ labels }) => labels);
  }
}

interface Life {
  readonly labels: Labels;
  readonly atMs: number;
  readonly fires: boolean;
  readonly clearMs: number | null;
}

function milliseconds(duration = '0s'): number {
  const [, digits, unit] = /^(\d+)(ms|s|m|h)$/.exec(duration) ?? [];
  if (digits === undefined || unit === undefined) throw new Error(`${duration} is no duration of Prometheus`);
  return Number(digits) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit as 'ms'];
}
