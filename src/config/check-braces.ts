/** Names in braces of `to`, `add` and `prefix` that stand for nothing, and would be written as they are. */
import { patternOf } from '../model/table-filter.ts';
import type { Path, Problem } from './locate.ts';
import type { RouteOptions } from './route-options.ts';
import { didYouMean } from '../model/suggest.ts';

/** A word alone: braces of JSON or of a PostgreSQL array with quotes are text. */
const WORD = /\{\s*([\w$-]+)\s*\}/g;
const NAMES = ['source', 'schema', 'table'];
const MOST_GROUPS = 9;

export function checkBraces(index: number, { from, to, columns }: RouteOptions): Problem[] {
  const groupCount = Math.min(patternOf(from).groupCount, MOST_GROUPS);
  const texts: readonly (readonly [Path, unknown])[] = [
    [['to'], to],
    ...(['add', 'prefix'] as const).flatMap((option) =>
      Object.entries(columns?.[option] ?? {}).map(([name, value]): readonly [Path, unknown] => [
        ['columns', option, name],
        value,
      ]),
    ),
  ];
  return texts.flatMap(([path, text]): Problem[] => {
    if (typeof text !== 'string') return [];
    for (const [whole, word = ''] of text.matchAll(WORD)) {
      const message = wrongWord(whole, word, groupCount);
      if (message !== undefined) return [{ path: ['routes', index, ...path], at: 'value', message }];
    }
    return [];
  });
}

function wrongWord(whole: string, word: string, groupCount: number): string | undefined {
  if (NAMES.some((name) => whole === `{${name}}`)) return undefined;
  if (/^\d+$/.test(word)) {
    const group = Number(word);
    if (whole === `{${group}}` && group >= 1 && group <= groupCount) return undefined;
    const groups = groupCount === 0 ? 'has no wildcard or group' : `has groups {1} to {${groupCount}} only`;
    return `holds ${whole}, but \`from\` ${groups}; correct the number`;
  }
  const meant = didYouMean(
    `{${word}}`,
    NAMES.map((name) => `{${name}}`),
  );
  return `holds ${whole}, which stands for nothing${meant || '; names are {source}, {schema}, {table} and groups such as {1}'}`;
}
