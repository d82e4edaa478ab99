/** Rows that would meet in one target table: of several source tables by one route, or of two routes. */
import { mayOverlap, partsOf, patternOf } from '../model/table-filter.ts';
import { NAME_IN_BRACES, separatorIn } from '../routing/columns.ts';
import type { Path, Problem } from './locate.ts';
import {
  commonTable,
  filled,
  fillingOf,
  fillingOfTable,
  keysDiffer,
  keyTexts,
  namesSource,
} from './route-names.ts';
import type { RouteTables } from './route-names.ts';
import type { RouteOptions } from './route-options.ts';
import { targetTable } from './route-rules.ts';

/** A route with what it may read and write. */
export interface MeetingRoute {
  readonly index: number;
  readonly value: RouteOptions;
  readonly tables: RouteTables;
  /** Sources whose rows it may get. */
  readonly sources: readonly string[];
}

function problemAt({ index }: MeetingRoute, message: string): Problem[] {
  const path: Path = ['routes', index, 'from'];
  return [{ path, at: 'value', message }];
}

/** Rows of several source tables in one target table: their keys must not meet unnoticed. */
export function checkKeys(route: MeetingRoute): Problem[] {
  const { keys, columns } = route.value;
  if (keys === 'disjoint' || columns?.origin !== undefined) return [];
  const alike = [...(sourcesMeet(route) ? ['{source}'] : []), ...namesThatMeet(route)];
  if (alike.length === 0) return [];
  const texts = [targetTable(route.value), ...keyTexts(route.value).map(({ text }) => text)];
  const named = alike.filter((name) => texts.some((text) => text.includes(name)));
  const message =
    `may take rows of several source tables into one target table, where their keys could meet; say how they stay apart: ` +
    `\`columns.origin\` (checked at each write), a \`columns.key\` with an added ${alike.join(' and ')}, ` +
    `or with a column that has a \`columns.prefix\` of it, or \`keys: disjoint\` if you are sure`;
  const why =
    named.length === 0
      ? ''
      : `; ${named.join(' and ')} is named, but two tables can still give one text: names that vary need a character such as ` +
        '`-`, `:` or `.` (no letter, digit, `_` or `$`) between them and at the end of a prefix';
  return problemAt(route, message + why);
}

function sourcesMeet({ value, tables, sources }: MeetingRoute): boolean {
  if (sources.length < 2) return false;
  if (!namesSource(value)) return true;
  return sources.some((source, i) => {
    const a = fillingOf(value, source);
    return sources.slice(i + 1).some((other) => {
      const b = fillingOf(value, other);
      return !keysDiffer(value, a, value, b) && commonTable(tables, a, tables, b) !== undefined;
    });
  });
}

/** `{schema}` and `{table}`, as far as they vary within a source and neither table nor key tells them. */
function namesThatMeet({ value, tables }: MeetingRoute): string[] {
  const { from } = value;
  const { isExpression } = patternOf(from);
  const [schema, table] = isExpression ? ['*', '*'] : partsOf(from);
  const [inSchema, inTable] = [wildcardsIn(schema), wildcardsIn(table)];
  const groups = Array.from({ length: isExpression ? 0 : inSchema + inTable }, (_, i) => `{${i + 1}}`);
  const varying = new Set([
    ...(inSchema > 0 ? ['{schema}', ...groups.slice(0, inSchema)] : []),
    ...(inTable > 0 ? ['{table}', ...groups.slice(inSchema)] : []),
    // What a group of a regular expression leaves out of a name is not known.
    ...(isExpression ? Array.from({ length: 9 }, (_, i) => `{${i + 1}}`) : []),
  ]);
  const told = new Set([
    ...(suffixesDiffer(value, tables) ? toldBy(targetTable(value), varying, false) : []),
    ...keyTexts(value).flatMap(({ text, isPrefix }) => toldBy(text, varying, isPrefix)),
  ]);
  const tells = (name: string, own: readonly string[]): boolean =>
    told.has(name) || (own.length > 0 && own.every((group) => told.has(group)));
  return [
    ...(inSchema > 0 && !tells('{schema}', groups.slice(0, inSchema)) ? ['{schema}'] : []),
    ...(inTable > 0 && !tells('{table}', groups.slice(inSchema)) ? ['{table}'] : []),
  ];
}

function wildcardsIn(name: string): number {
  return name.match(/[*?]/g)?.length ?? 0;
}

/** The names that can be read out of a text again; none when a name can run into the next one, or into the value behind a prefix. */
function toldBy(text: string, varying: ReadonlySet<string>, ends: boolean): string[] {
  const found = [...text.matchAll(NAME_IN_BRACES)].filter(([name]) => varying.has(name));
  const names = found.map(([name]) => name);
  if (!ends && new Set(names).size === 1) return names;
  const clear = found.every(({ 0: name, index }, i) => {
    const isLast = i === found.length - 1;
    return (isLast && !ends) || separatorIn(text.slice(index + name.length), ends) !== undefined;
  });
  return clear ? names : [];
}

/** Whether no suffix of the table level is the end of another one, so that a name in front of it ends in one place. */
function suffixesDiffer(value: RouteOptions, { names }: RouteTables): boolean {
  const { length } = targetTable(value);
  // Read backwards and sorted, a text is followed at once by one that starts with it.
  const ends = names
    .map((name) => Array.from(name.slice(length)).toReversed().join('').toLowerCase())
    .toSorted();
  return ends.every((end, i) => i === 0 || !end.startsWith(ends[i - 1]!));
}

/** Two routes that write one physical table: the same rows in two layouts, or keys that could meet. */
export function checkMeetings(routes: readonly MeetingRoute[]): Problem[] {
  return routes.flatMap((route, i) => {
    for (const other of routes.slice(0, i)) {
      const message = meeting(route, other);
      if (message !== undefined) return problemAt(route, message);
    }
    return [];
  });
}

function meeting(one: MeetingRoute, other: MeetingRoute): string | undefined {
  const target = one.tables.targets.find((name) => other.tables.targets.includes(name));
  if (target === undefined) return undefined;
  const name = `routes[${other.index}]`;
  const twice = writtenTwice(one, other);
  if (twice !== undefined) {
    if (one.value.from === other.value.from)
      return `goes to ${target}.${twice} already by ${name}; remove one of the two`;
    return (
      `may take a table that ${name} takes from ${other.value.from}, and would write it to ${target}.${twice} a second time, where ` +
      'two layouts of one table overwrite each other; give one of the two another `to` or another target, or let no table match both'
    );
  }
  const apart = apartKey(one.value);
  if (apart !== undefined && apart === apartKey(other.value)) return undefined;
  const table = metBySources(one, other);
  if (table === undefined) return undefined;
  return (
    `would write ${target}.${table}, which ${name} fills from ${other.value.from}; give it another \`to\`, or say in ` +
    'both how their keys stay apart (the same `columns.origin`, an added column in both keys that never has one value in both, ' +
    'or `keys: disjoint`)'
  );
}

/** A target table to which both may write one and the same source table, whatever keeps keys apart. */
function writtenTwice(one: MeetingRoute, other: MeetingRoute): string | undefined {
  const shared = one.sources.filter((source) => other.sources.includes(source));
  if (shared.length === 0 || !mayOverlap(one.value.from, other.value.from)) return undefined;
  const [a, b] = [one, other].map(({ value }) => value);
  if (a === undefined || b === undefined) return undefined;
  const literal = [a.from, b.from].find((from) => patternOf(from).isLiteral);
  const isLonger = literal === undefined && alwaysLonger(one.tables, other.tables);
  if (isLonger) return undefined;
  const withSource = namesSource(a) || namesSource(b) ? shared : shared.slice(0, 1);
  for (const source of withSource) {
    const [fillA, fillB] =
      literal === undefined
        ? [fillingOf(a, source), fillingOf(b, source)]
        : [fillingOfTable(a, source, partsOf(literal)), fillingOfTable(b, source, partsOf(literal))];
    const found = commonTable(one.tables, fillA, other.tables, fillB);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether names of one always are longer than those of the other for the same source table: `{table}`, `{table}_by_day`. */
function alwaysLonger(one: RouteTables, other: RouteTables): boolean {
  const [a, b] = [one, other].map(({ names }) => new Set(names.map(lengthOf)));
  return (
    a !== undefined && b !== undefined && [...a].every((length) => !b.has(length)) && sameNames(one, other)
  );
}

function sameNames(one: RouteTables, other: RouteTables): boolean {
  const [a, b] = [one, other].map(({ outline }) => bracedNames(outline));
  return a === b && a !== undefined && !/\d/.test(a);
}

function bracedNames(text: string): string {
  return [...text.matchAll(NAME_IN_BRACES)]
    .map(([, name = '']) => name)
    .toSorted()
    .join();
}

/** Of what stands around the names in braces. */
function lengthOf(name: string): number {
  return filled(name, () => '').replace(/^public\./i, '').length;
}

/** A target table in which rows of different source tables may have one key. */
function metBySources(one: MeetingRoute, other: MeetingRoute): string | undefined {
  const isNamed = namesSource(one.value) || namesSource(other.value);
  const listed = ({ sources }: MeetingRoute): readonly string[] => (isNamed ? sources : sources.slice(0, 1));
  for (const source of listed(one)) {
    const a = fillingOf(one.value, source);
    for (const otherSource of listed(other)) {
      const b = fillingOf(other.value, otherSource);
      if (keysDiffer(one.value, a, other.value, b)) continue;
      const found = commonTable(one.tables, a, other.tables, b);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** Routes that meet in one table must keep their keys apart in the same way. */
function apartKey({ keys, columns }: RouteOptions): string | undefined {
  return columns?.origin === undefined ? keys : `origin ${columns.origin.toLowerCase()}`;
}
