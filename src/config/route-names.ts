/**
 * Which tables a route may write and which keys its rows may get there, by what its text says: names in which `*`, `?` and
 * ANY_DIGIT stand for what no server was asked about. Never too few; where a name cannot be told it may be any.
 */
import { ANY_DIGIT, namesOverlap, partsOf, patternOf } from '../model/table-filter.ts';
import { NAME_IN_BRACES } from '../routing/columns.ts';
import { STAYS } from '../routing/layout.ts';
import type { Layout } from '../routing/layout.ts';
import type { Period } from '../routing/rule.ts';
import type { RouteOptions } from './route-options.ts';

/** The physical tables of a route, names in braces not yet filled in: each of the names at each of the targets. */
export interface RouteTables {
  /** Without those that stay in a source. */
  readonly targets: readonly string[];
  readonly names: readonly string[];
  /** All of the names in one. */
  readonly outline: string;
}

const PERIODS: Readonly<Record<Period, string>> = {
  year: '####',
  quarter: '####q#',
  month: '####_##',
};

/** Pairs of names past this are not compared one by one. */
const MOST_PAIRS = 65_536;

/** Of the layouts of one route, which differ in their targets alone. */
export function tablesOf(layouts: readonly Layout[]): RouteTables {
  const targets = layouts.flatMap(({ spec }) => spec.targets).filter((name) => !name.startsWith(STAYS));
  const [layout] = layouts;
  if (layout === undefined) return { targets, names: [], outline: '' };
  const { to, tables } = layout.spec;
  if (tables === null || layout.tables === null) return { targets, names: [to], outline: to };
  const { count } = layout.tables;
  const lead = `${to}${tables.separator ?? '_'}`;
  const names =
    count === null
      ? [lead + (tables.rule.algorithm === 'date' ? anyPeriod(tables.rule.period) : '*')]
      : Array.from({ length: count }, (_, index) => layout.tableAt(index));
  return { targets, names, outline: `${lead}*` };
}

function anyPeriod(period: Period): string {
  return PERIODS[period].replaceAll('#', ANY_DIGIT);
}

/** A group of a regular expression: it may hold the dot between schema and table too. */
const ANY_TEXT = '**';

/** What rows of one source table, or of all that `from` may take, fill in for names in braces. */
type Filling = (name: string) => string;

/** Of every table of a source that the route may take. */
export function fillingOf({ from }: RouteOptions, source: string): Filling {
  const pattern = patternOf(from);
  const [schema, table] = pattern.isExpression ? ['*', '*'] : partsOf(from);
  const wildcards = pattern.isExpression
    ? []
    : [...`${schema}${table}`.matchAll(/[*?]/g)].map(([one]) => one);
  return (name) => {
    if (name === 'source') return source;
    if (name === 'schema') return schema;
    return name === 'table' ? table : (wildcards[Number(name) - 1] ?? ANY_TEXT);
  };
}

/** Of one table that the route takes. */
export function fillingOfTable(
  { from }: RouteOptions,
  source: string,
  [schema, table]: readonly [string, string],
): Filling {
  const groups = patternOf(from).groups(schema, table) ?? [];
  const names: Readonly<Record<string, string>> = { source, schema, table };
  return (name) => names[name] ?? groups[Number(name) - 1] ?? ANY_TEXT;
}

export function filled(text: string, filling: Filling): string {
  return text.replace(NAME_IN_BRACES, (_, name: string) => filling(name));
}

/** As target tables are compared: without case, since some servers know none, and with the schema that stands for none. */
function tableForms(name: string, filling: Filling): string[] {
  const found = filled(name, filling).toLowerCase();
  if (name.includes('.')) return [found];
  return found.includes(ANY_TEXT) ? [`public.${found}`, found] : [`public.${found}`];
}

/** A table name that both may be, or undefined. */
export function commonTable(
  one: RouteTables,
  a: Filling,
  other: RouteTables,
  b: Filling,
): string | undefined {
  const outlines = pairOf(tableForms(one.outline, a), tableForms(other.outline, b));
  if (outlines === undefined) return undefined;
  const [names, others] = [
    one.names.flatMap((name) => tableForms(name, a)),
    other.names.flatMap((name) => tableForms(name, b)),
  ];
  const literal = new Set(names.filter(isLiteral));
  const same = others.find((name) => literal.has(name));
  if (same !== undefined) return shown(same);
  const [open, othersOpen] = [names, others].map((list) => list.filter((name) => !isLiteral(name)));
  if (open === undefined || othersOpen === undefined) return undefined;
  if (open.length * others.length + othersOpen.length * names.length > MOST_PAIRS) return shown(outlines);
  const found = pairOf(open, others) ?? pairOf(othersOpen, names);
  return found === undefined ? undefined : shown(found);
}

function isLiteral(name: string): boolean {
  return !name.includes('*') && !name.includes('?') && !name.includes(ANY_DIGIT);
}

/** The name that tells most of a pair that overlaps. */
function pairOf(names: readonly string[], others: readonly string[]): string | undefined {
  for (const name of names) {
    const other = others.find((candidate) => namesOverlap(name, candidate));
    if (other !== undefined) return name.includes('*') ? other : name;
  }
  return undefined;
}

/** As it may stand in a message. */
export function shown(name: string): string {
  return name.replace(/^public\./, '').replaceAll(ANY_DIGIT, '?');
}

/** A text in the target's key that tells where a row came from. */
interface KeyText {
  /** Column at the target, in lower case. */
  readonly column: string;
  readonly text: string;
  /** Stands before a value, from which it must be told. */
  readonly isPrefix: boolean;
}

/** Texts of the key, as far as `columns.key` names it: what else is in the key only the server knows. */
export function keyTexts({ columns }: RouteOptions): KeyText[] {
  if (columns?.key === undefined) return [];
  const key = new Set(columns.key.map((name) => name.toLowerCase()));
  const renamed = new Map(Object.entries(columns.rename ?? {}).map(([name, to]) => [name.toLowerCase(), to]));
  const texts = [
    ...Object.entries(columns.add ?? {}).map(([name, value]) => ({
      name,
      text: String(value),
      isPrefix: false,
    })),
    ...Object.entries(columns.prefix ?? {}).map(([name, text]) => ({
      name: renamed.get(name.toLowerCase()) ?? name,
      text,
      isPrefix: true,
    })),
  ];
  return texts.flatMap(({ name, ...rest }) => {
    const column = name.toLowerCase();
    return key.has(column) ? [{ column, ...rest }] : [];
  });
}

/** Whether some column of both keys never holds one value for both. */
export function keysDiffer(one: RouteOptions, a: Filling, other: RouteOptions, b: Filling): boolean {
  const others = keyTexts(other);
  return keyTexts(one).some((text) =>
    others.some(
      (candidate) =>
        candidate.column === text.column && !namesOverlap(keyForm(text, a), keyForm(candidate, b)),
    ),
  );
}

/** Databases may compare texts without case and without the spaces at their end. */
function keyForm({ text, isPrefix }: KeyText, filling: Filling): string {
  const found = filled(text, filling).toLowerCase();
  return isPrefix ? `${found}*` : found.trimEnd();
}

/** Whether `{source}` makes a difference to tables or keys. */
export function namesSource({ to, columns }: RouteOptions): boolean {
  return JSON.stringify([to, columns?.add, columns?.prefix]).includes('{source}');
}
