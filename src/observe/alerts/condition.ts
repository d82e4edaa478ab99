/**
 * The language of conditions: comparisons of a metric with a quantity, `and`, `or` (weaker) and parentheses.
 *
 *     lag_seconds{source="main"} > 60 s and parked_rows > 0
 *
 * Every comparison yields one answer for each set of labels. Both sides of `or` carry the same labels; of `and` one side may
 * carry more (then each of its sets meets the one of the other side that agrees with it). Pure; mistakes carry their offset.
 */
import { didYouMean } from '../../model/suggest.ts';
import { BUILT_IN } from './metrics.ts';
import type { AlertMetric, MetricCatalog } from './metrics.ts';
import { readQuantity } from './quantity.ts';

export type Operator = '>' | '>=' | '<' | '<=' | '==' | '!=';

export interface LabelMatcher {
  readonly label: string;
  readonly isEqual: boolean;
  readonly value: string;
}

export type Condition =
  | {
      readonly kind: 'compare';
      readonly metric: AlertMetric;
      readonly matchers: readonly LabelMatcher[];
      readonly operator: Operator;
      /** In the unit of the metric's dimension. */
      readonly limit: number;
    }
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition };

/** What is wrong and the offset of it in the text. */
export interface Mistake {
  readonly wrong: string;
  readonly at: number;
}

const MAX_DEPTH = 20;

/** `metrics` are those that it may ask for. */
export function parseCondition(
  text: string,
  metrics: MetricCatalog = BUILT_IN,
): { readonly value: Condition } | Mistake {
  try {
    const parser = new Parser(text, metrics);
    return { value: parser.all() };
  } catch (thrown) {
    if (thrown instanceof ConditionMistake) return { wrong: thrown.message, at: thrown.at };
    throw thrown;
  }
}

/** Labels of the answers of a condition. */
export function labelsOf(condition: Condition): readonly string[] {
  if (condition.kind === 'compare') return condition.metric.labels;
  const [left, right] = [labelsOf(condition.left), labelsOf(condition.right)];
  return right.length > left.length ? right : left;
}

/** The metrics that a condition asks for, in the order of the text. */
export function metricsOf(condition: Condition): readonly AlertMetric[] {
  if (condition.kind === 'compare') return [condition.metric];
  return [...new Set([...metricsOf(condition.left), ...metricsOf(condition.right)])];
}

class ConditionMistake extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

interface Token {
  readonly kind: 'word' | 'number' | 'operator' | 'sign' | 'text' | 'end';
  readonly text: string;
  readonly at: number;
}

const TOKEN =
  /\s*(?:(?<word>[A-Za-z_][A-Za-z0-9_]*)|(?<number>\d+(?:\.\d+)?)|(?<operator>>=|<=|==|!=|>|<)|(?<text>"[^"\\]*"|'[^'\\]*')|(?<sign>[(){},=%/]))/y;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ''; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (found === null) {
      const start = at + (text.slice(at).length - text.slice(at).trimStart().length);
      throw new ConditionMistake('cannot be read from here on', start);
    }
    const [kind, token] = Object.entries(found.groups ?? {}).find(([, group]) => group !== undefined) ?? [];
    if (kind === undefined || token === undefined) throw new ConditionMistake('cannot be read', at);
    tokens.push({ kind: kind as Token['kind'], text: token, at: TOKEN.lastIndex - token.length });
  }
  return [...tokens, { kind: 'end', text: '', at: text.trimEnd().length }];
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #metrics: MetricCatalog;
  #next = 0;
  #depth = 0;

  constructor(text: string, metrics: MetricCatalog) {
    this.#metrics = metrics;
    this.#tokens = tokensOf(text);
  }

  all(): Condition {
    const condition = this.#or();
    const { kind, at } = this.#peek();
    if (kind !== 'end') throw new ConditionMistake('expects `and`, `or` or the end here', at);
    return condition;
  }

  #or(): Condition {
    let left = this.#and();
    for (let word = this.#peek(); word.text === 'or'; word = this.#peek()) {
      this.#take();
      const right = this.#and();
      if (!isSubset(labelsOf(left), labelsOf(right)) || !isSubset(labelsOf(right), labelsOf(left))) {
        throw new ConditionMistake(`joins ${sides(left, right)}; write two rules`, word.at);
      }
      left = { kind: 'or', left, right };
    }
    return left;
  }

  #and(): Condition {
    let left = this.#factor();
    for (let word = this.#peek(); word.text === 'and'; word = this.#peek()) {
      this.#take();
      const right = this.#factor();
      if (!isSubset(labelsOf(left), labelsOf(right)) && !isSubset(labelsOf(right), labelsOf(left))) {
        throw new ConditionMistake(`joins ${sides(left, right)}, which never meet`, word.at);
      }
      left = { kind: 'and', left, right };
    }
    return left;
  }

  #factor(): Condition {
    const { text, at } = this.#peek();
    if (text !== '(') return this.#comparison();
    this.#take();
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new ConditionMistake('is nested too deep', at);
    const inner = this.#or();
    this.#depth -= 1;
    this.#expect(')');
    return inner;
  }

  #comparison(): Condition {
    const name = this.#take();
    if (name.kind !== 'word') throw new ConditionMistake('expects the name of a metric here', name.at);
    const metric = this.#metrics.get(name.text);
    if (metric === undefined) {
      const other =
        '; `rowferry alerts metrics` lists them, what other programs report is declared in alerts.metrics';
      const mend = didYouMean(name.text, [...this.#metrics.keys()]) || other;
      throw new ConditionMistake(`${name.text} is no metric${mend}`, name.at);
    }
    const matchers = this.#peek().text === '{' ? this.#matchers(metric) : [];
    const operator = this.#take();
    if (operator.kind !== 'operator') {
      const hint = operator.text === '=' ? '; write ==' : '';
      throw new ConditionMistake(`expects one of > >= < <= == != here${hint}`, operator.at);
    }
    return {
      kind: 'compare',
      metric,
      matchers,
      operator: operator.text as Operator,
      limit: this.#quantity(metric),
    };
  }

  #matchers(metric: AlertMetric): LabelMatcher[] {
    const matchers: LabelMatcher[] = [];
    do {
      this.#take();
      const label = this.#take();
      if (!metric.labels.includes(label.text)) {
        const known = metric.labels.length === 0 ? 'it has none' : `it has ${metric.labels.join(', ')}`;
        throw new ConditionMistake(`${label.text} is no label of ${metric.name}; ${known}`, label.at);
      }
      const sign = this.#take();
      if (sign.text !== '=' && sign.text !== '!=')
        throw new ConditionMistake('expects = or != here', sign.at);
      const value = this.#take();
      if (value.kind !== 'text') throw new ConditionMistake('expects a value in quotes here', value.at);
      matchers.push({ label: label.text, isEqual: sign.text === '=', value: value.text.slice(1, -1) });
    } while (this.#peek().text === ',');
    this.#expect('}');
    return matchers;
  }

  #quantity(metric: AlertMetric): number {
    const number = this.#take();
    if (number.kind !== 'number') throw new ConditionMistake('expects a number here', number.at);
    const start = this.#peek();
    const unit = this.#unit();
    const quantity = readQuantity(number.text, unit, metric.dimension);
    if ('value' in quantity) return quantity.value;
    throw new ConditionMistake(
      unit === '' ? `${number.text} ${quantity.wrong}` : quantity.wrong,
      unit === '' ? number.at : start.at,
    );
  }

  #unit(): string {
    const { kind, text } = this.#peek();
    if (text === '%') return this.#take().text;
    if (kind !== 'word' || text === 'and' || text === 'or') return '';
    const unit = this.#take().text;
    if (this.#peek().text !== '/') return unit;
    this.#take();
    return `${unit}/${this.#take().text}`;
  }

  #expect(sign: string): void {
    const { text, at } = this.#take();
    if (text !== sign) throw new ConditionMistake(`expects ${sign} here`, at);
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!;
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }
}

function isSubset(small: readonly string[], large: readonly string[]): boolean {
  return small.every((label) => large.includes(label));
}

function sides(left: Condition, right: Condition): string {
  const show = (condition: Condition): string => {
    const labels = labelsOf(condition);
    return labels.length === 0 ? 'what has no labels' : `what is told by ${labels.join(', ')}`;
  };
  return `${show(left)} and ${show(right)}`;
}
