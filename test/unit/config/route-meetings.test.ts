import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { checkKeys, checkMeetings } from '../../../src/config/check-meetings.ts';
import type { MeetingRoute } from '../../../src/config/check-meetings.ts';
import { tablesOf } from '../../../src/config/route-names.ts';
import { routeOptions } from '../../../src/config/route-options.ts';
import {
  layoutSettings,
  layoutSpec,
  targetTable,
  unloadedFunction,
} from '../../../src/config/route-rules.ts';
import { patternOf } from '../../../src/model/table-filter.ts';
import { fillNames } from '../../../src/routing/columns.ts';
import { layoutsOf } from '../../../src/routing/router.ts';
import { RowferryError } from '../../../src/errors.ts';
import { parse, problems } from './config-text.ts';

interface Given {
  readonly captured?: string;
  readonly sources?: readonly string[];
}

function withRoutes(routes: readonly string[], { captured = '*.*', sources = ['x'] }: Given = {}): string {
  const source = (name: string, i: number): string =>
    `  ${name}: { url: "mysql://rowferry:x@db-${i}:3306", serverId: ${i + 1}, tables: ["${captured}"] }`;
  return `name: shop
kafka: { brokers: ["127.0.0.1:9092"], replicationFactor: 1 }
sources:
${sources.map(source).join('\n')}
targets:
  a: { url: "mysql://writer:pw@db-a/shop" }
  b: { url: "postgres://writer:pw@db-b/shop" }
  back: { url: "mysql://writer:pw@db-0:3306/trade" }
routes:
${routes.map((route) => `  - { ${route} }`).join('\n')}
`;
}

const BY_ID = 'shards: { algorithm: modulo, by: id, on: [a, b] }';
const BY_USER = 'shards: { algorithm: modulo, by: user_id, on: [b, a] }';
const monthsSince = (since: string): string =>
  `tables: { algorithm: date, by: at, period: month, since: "${since}" }`;

describe('two routes', () => {
  const FILLS = /routes\[1\]\.from: would write .*, which routes\[0\] fills from/;
  const TWICE = /routes\[1\]\.from: may take a table that routes\[0\] takes .* a second time/;

  test.each([
    ['a pattern and a table', FILLS, 'from: "shop.*", target: a', 'from: crm.orders, target: a'],
    ['a pattern and one of its tables, sharded otherwise', TWICE, `from: "shop.*", ${BY_ID}`, `from: shop.orders, ${BY_USER}`], // prettier-ignore
    ['the same with one origin', TWICE, `from: "shop.*", ${BY_ID}, columns: { origin: o }`, `from: shop.orders, ${BY_USER}, columns: { origin: o }`], // prettier-ignore
    ['the same with a promise', TWICE, `from: "shop.*", ${BY_ID}, keys: disjoint`, `from: shop.orders, ${BY_USER}, keys: disjoint`], // prettier-ignore
    ['two patterns that overlap', TWICE, 'from: "shop.*", target: a', 'from: "shop.o*", target: a'],
    ['a regular expression and a table that it takes', TWICE, 'from: "/shop\\\\..*/", target: a, keys: disjoint', 'from: shop.orders, target: a, keys: disjoint'], // prettier-ignore
    ['date tables from different months on', FILLS, `from: shop.ev, target: a, ${monthsSince('2024-01')}`, `from: crm.ev, target: a, ${monthsSince('2024-02')}`], // prettier-ignore
    ['date tables and a table named like one', FILLS, `from: shop.ev, target: a, ${monthsSince('2024-01')}`, 'from: crm.ev_2026_11, target: a'], // prettier-ignore
    ['a name with and without its schema', FILLS, 'from: shop.orders, target: b', 'from: crm.orders, to: public.orders, target: b'], // prettier-ignore
    [
      'a name in two spellings',
      FILLS,
      'from: shop.orders, to: Orders, target: a',
      'from: crm.orders, target: a',
    ],
    ['table 00 of a rule and a pattern', FILLS, 'from: shop.orders, target: a, tables: { algorithm: modulo, by: id, count: 4 }', 'from: "crm.*", target: a'], // prettier-ignore
    ['a group that may hold a schema', FILLS, 'from: "/crm\\\\.(.*)/", to: "{1}", target: b, keys: disjoint', 'from: shop.orders, to: eu.orders, target: b'], // prettier-ignore
    ['an added text that is the other one when it is filled in', FILLS, 'from: shop.o, target: a, columns: { add: { src: "{schema}" }, key: [src, id] }', 'from: crm.o, target: a, columns: { add: { src: shop }, key: [src, id] }'], // prettier-ignore
    ['added texts that differ in case only', FILLS, 'from: shop.o, target: a, columns: { add: { src: EU }, key: [src, id] }', 'from: crm.o, target: a, columns: { add: { src: eu }, key: [src, id] }'], // prettier-ignore
    ['a pattern with and without the schema', TWICE, 'from: "shop.*", target: b, keys: disjoint', 'from: "?hop.*", to: "public.{table}", target: b, keys: disjoint'], // prettier-ignore
    ['added texts outside of the key', FILLS, 'from: shop.o, target: a, columns: { add: { src: eu }, key: [id] }', 'from: crm.o, target: a, columns: { add: { src: us }, key: [id] }'], // prettier-ignore
    ['one prefix that leads the other', FILLS, 'from: shop.o, target: a, columns: { prefix: { id: e }, key: [id] }', 'from: crm.o, target: a, columns: { prefix: { id: eu- }, key: [id] }'], // prettier-ignore
  ])('are refused in one table: %s', (_, message, ...routes) => {
    const lines = problems(withRoutes(routes));
    expect(lines.join('\n')).toMatch(message);
    expect(lines).toHaveLength(1);
  });

  test.each([
    ['patterns of other names', 'from: "shop.a*", target: a', 'from: "shop.b*", target: a'],
    ['another name for each of its tables', 'from: "shop.*", target: a, keys: disjoint', 'from: "shop.*", to: "{table}_again", target: a, keys: disjoint'], // prettier-ignore
    ['another name for one of its tables, on a promise', `from: "shop.*", ${BY_ID}, keys: disjoint`, `from: shop.orders, to: by_user, ${BY_USER}, keys: disjoint`], // prettier-ignore
    ['date tables and a name that is none', `from: shop.ev, target: a, ${monthsSince('2024-01')}`, 'from: shop.ev, to: ev_by_user, target: a'], // prettier-ignore
    ['another schema', 'from: shop.orders, target: b', 'from: crm.orders, to: crm.orders, target: b'],
    ['other targets', 'from: "shop.*", target: a', 'from: "shop.*", target: b'],
    ['added texts that differ when filled in', 'from: shop.o, target: a, columns: { add: { src: "{schema}" }, key: [src, id] }', 'from: crm.o, target: a, columns: { add: { src: "{schema}" }, key: [src, id] }'], // prettier-ignore
    ['one origin column', 'from: shop.o, target: a, columns: { origin: came }', 'from: crm.o, target: a, columns: { origin: Came }'], // prettier-ignore
    ['prefixes that end apart', 'from: shop.o, target: a, columns: { prefix: { id: "eu-" }, key: [id] }', 'from: crm.o, target: a, columns: { prefix: { id: "us-" }, key: [id] }'], // prettier-ignore
  ])('stand beside each other with %s', (_, ...routes) => {
    expect(parse(withRoutes(routes)).routes).toHaveLength(2);
  });

  it('of thousands of tables each are compared in time', () => {
    const spread = (count: number): string =>
      `tables: { algorithm: modulo, by: id, count: ${count}, digits: 5 }`;
    const routes = ['a*', 'b*', 'c'].map((table) => `from: "shop.${table}", target: a, ${spread(65_536)}`);
    expect(parse(withRoutes(routes)).routes).toHaveLength(3);
  });
});

describe('one route', () => {
  const TWO = { sources: ['eu', 'eu-2'] };

  test.each([
    ['a prefix of a column outside of the key', 'from: "shop.o_*", to: o, target: a, columns: { prefix: { note: "{table}-" }, key: [id] }', {}], // prettier-ignore
    ['a prefix where the key is not named', 'from: "shop.o_*", to: o, target: a, columns: { prefix: { id: "{table}-" } }', {}], // prettier-ignore
    ['a prefix that runs into the value', 'from: "shop.o_*", to: o, target: a, columns: { prefix: { id: "{table}" }, key: [id] }', {}], // prettier-ignore
    ['a prefix behind which a name may go on', 'from: "shop.o_*", to: o, target: a, columns: { prefix: { id: "{table}_" }, key: [id] }', {}], // prettier-ignore
    ['sources of which one leads the other', 'from: shop.o, target: a, columns: { prefix: { id: "{source}-" }, key: [id] }', TWO], // prettier-ignore
    ['two names that run into each other', 'from: "*.*", to: "{schema}_{table}", target: a', {}],
    ['one of two wildcards', 'from: "shop.a*b*", to: "a_{2}", target: a', {}],
    ['two wildcards that run into each other', 'from: "shop.a*b*", to: "{1}{2}", target: a', {}],
    ['table suffixes of which one ends the other', 'from: "shop.*", target: a, tables: { algorithm: slot-map, by: id, slots: 2, map: { hot: "0", x_hot: "1" } }', {}], // prettier-ignore
  ])('is refused when tables meet: %s', (_, route, given) => {
    const lines = problems(withRoutes([route], given));
    expect(lines.join('\n')).toMatch(/may take rows of several source tables/);
    expect(lines).toHaveLength(1);
  });

  test.each([
    ['names with a separator', 'from: "*.*", to: "{schema}-{table}", target: a', {}],
    ['schema and table of PostgreSQL', 'from: "*.*", to: "{schema}.{table}", target: b', {}],
    ['all of its wildcards', 'from: "shop.a*b*", to: "{2}-{1}", target: a', {}],
    ['the only wildcard', 'from: "shop.orders_*", to: "orders_{1}", target: a', {}],
    ['a separator that sources cannot hold', 'from: shop.o, target: a, columns: { prefix: { id: "{source}:" }, key: [id] }', TWO], // prettier-ignore
    ['the prefix of a renamed key', 'from: "shop.o_*", to: o, target: a, columns: { prefix: { ID: "{table}-" }, rename: { id: number }, key: [number] }', {}], // prettier-ignore
  ])('keeps tables apart by %s', (_, route, given) => {
    expect(parse(withRoutes([route], given)).routes).toHaveLength(1);
  });

  it('says why names that are there do not help', () => {
    const [line] = problems(withRoutes(['from: "*.*", to: "{schema}_{table}", target: a']));
    expect(line).toContain('{schema} and {table} is named, but two tables can still give one text');
  });
});

describe('rows that would go round', () => {
  const yearly = (since: string): string =>
    `from: shop.orders, target: back, tables: { algorithm: date, by: at, period: year, since: "${since}" }`;

  it('are seen in coming date tables too', () => {
    const captured = 'trade.orders_2025*", "shop.*';
    expect(problems(withRoutes([yearly('2024')], { captured }))).toEqual([
      expect.stringMatching(/would write trade\.orders_\?{4} .*exclude it there with "!trade\.orders_\?{4}"/),
    ]);
    for (const exclude of ['!trade.orders_????', '!trade.*', '!trade.orders_*'])
      expect(
        parse(withRoutes([yearly('2024')], { captured: `${captured}", "${exclude}` })).routes,
      ).toHaveLength(1);
  });

  it('are not seen in names that no period has', () => {
    const captured = 'trade.orders_by_user", "trade.orders", "shop.*';
    expect(parse(withRoutes([yearly('2024')], { captured })).routes).toHaveLength(1);
  });

  it('are seen in names that a pattern gives', () => {
    const route = 'from: "shop.o*", target: back';
    expect(problems(withRoutes([route], { captured: 'trade.orders", "shop.*' }))).toHaveLength(1);
    expect(parse(withRoutes([route], { captured: 'trade.users", "shop.*' })).routes).toHaveLength(1);
  });
});

describe('names in braces', () => {
  test.each([
    ['to: "o_{sorce}"', 'holds {sorce}, which stands for nothing; did you mean {source}?'],
    ['to: "o_{table}"', undefined],
    [
      'columns: { add: { src: "{Table}" } }',
      'holds {Table}, which stands for nothing; did you mean {table}?',
    ],
    ['columns: { add: { src: "{shop}" } }', 'which stands for nothing; names are {source}, {schema}'],
    ['columns: { prefix: { id: "{schem}-" } }', 'did you mean {schema}?'],
    ['columns: { add: { src: "{3}" } }', 'holds {3}, but `from` has groups {1} to {1} only'],
    ['columns: { add: { doc: "{\\"a\\": 1}", list: "{}" } }', undefined],
  ])('of %s', (option, message) => {
    const text = withRoutes([`from: "shop.o*", target: a, keys: disjoint, ${option}`]);
    if (message === undefined) expect(parse(text).routes).toHaveLength(1);
    else expect(problems(text)).toEqual([expect.stringContaining(message)]);
  });

  it('count groups of regular expressions', () => {
    const route = (group: number): string =>
      `from: "/shop\\\\.o(?:_)(\\\\d)|(x)/", to: "o{${group}}", target: a, keys: disjoint`;
    expect(parse(withRoutes([route(2)])).routes).toHaveLength(1);
    expect(problems(withRoutes([route(3)])).join()).toContain('has groups {1} to {2} only');
  });
});

it('a first period with a slip of the pen would be thousands of tables', () => {
  for (const since of ['0001-01', '0024-01', '9024-01'])
    expect(problems(withRoutes([`from: shop.ev, target: a, ${monthsSince(since)}`])).join()).toContain(
      'of a year from 1900 to 2199',
    );
});

describe('whatever names the tables have,', () => {
  const ALPHABET = ['a', 'b', '_', '-', '1'] as const;
  const name = fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 1, maxLength: 3 });
  const pattern = fc.string({ unit: fc.constantFrom(...ALPHABET, '*', '?'), minLength: 1, maxLength: 3 });
  const template = fc
    .array(fc.constantFrom('{schema}', '{table}', '{1}', '{2}', '-', '_', 'a', ':'), {
      minLength: 1,
      maxLength: 4,
    })
    .map((parts) => parts.join(''));
  const from = fc.tuple(pattern, pattern).map(([schema, table]) => `${schema}.${table}`);

  function route(index: number, options: object): MeetingRoute {
    const value = routeOptions.parse({ target: 'a', ...options });
    const layout = layoutSpec(layoutSettings(value), unloadedFunction);
    const names = { source: '{source}', schema: '{schema}', table: '{table}', groups: [] };
    return {
      index,
      value,
      tables: tablesOf(layoutsOf({ to: targetTable(value), layout }, names)),
      sources: ['x'],
    };
  }

  /** What becomes of a text for a table that the route takes; undefined when it takes it not, or refuses its name. */
  function written(
    { value }: MeetingRoute,
    text: string,
    [schema, table]: readonly [string, string],
    ends: boolean,
  ) {
    const groups = patternOf(value.from).groups(schema, table);
    if (groups === undefined) return undefined;
    try {
      return fillNames(text, { source: 'x', schema, table, groups }, { ends });
    } catch (error) {
      if (error instanceof RowferryError && error.code === 'ROWFERRY_ROUTE_COLUMNS') return undefined;
      throw error;
    }
  }

  const hasGroups = (text: string, count: number): boolean =>
    [1, 2].every((group) => group <= count || !text.includes(`{${group}}`));

  it('a route that is taken gives no two tables one name, and no two rows one prefixed key', () => {
    const short = ALPHABET.flatMap((letter) => [letter, ...ALPHABET.map((next) => letter + next)]);
    const tables = ['a', 'b', 'a-', '_a'].flatMap((schema) => short.map((table) => [schema, table] as const));
    fc.assert(
      fc.property(from, template, fc.boolean(), (pattern, text, isPrefix) => {
        fc.pre(hasGroups(text, patternOf(pattern).groupCount));
        const columns = { prefix: { id: text }, key: ['id'] };
        const checked = route(
          0,
          isPrefix ? { from: pattern, to: 't', columns } : { from: pattern, to: text },
        );
        fc.pre(checkKeys(checked).length === 0);
        const seen = new Map<string, string>();
        for (const table of tables) {
          const found = written(checked, text, table, isPrefix);
          if (found === undefined) continue;
          for (const value of isPrefix ? ['1', '-1', 'a-1', '_1'] : ['']) {
            const row = JSON.stringify([table, value]);
            expect(seen.get(found + value) ?? row).toBe(row);
            seen.set(found + value, row);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('two routes that are taken write no table both', () => {
    fc.assert(
      fc.property(
        from,
        from,
        template,
        template,
        fc.array(fc.tuple(name, name), { maxLength: 40 }),
        (a, b, to, again, list) => {
          fc.pre(hasGroups(to, patternOf(a).groupCount) && hasGroups(again, patternOf(b).groupCount));
          const routes = [route(0, { from: a, to }), route(1, { from: b, to: again })];
          fc.pre(checkMeetings(routes).length === 0);
          const [names, others] = [
            list.map((table) => written(routes[0]!, to, table, false)),
            list.map((table) => written(routes[1]!, again, table, false)),
          ];
          for (const found of names) if (found !== undefined) expect(others).not.toContain(found);
        },
      ),
      { numRuns: 500 },
    );
  });
});
