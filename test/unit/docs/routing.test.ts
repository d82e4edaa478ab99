/** `docs/routing.md` says only what is true: its configurations parse, its commands answer as printed, its numbers are exact. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { expandBraces } from '../../../src/config/braces.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { planByKeys, planByPeriod } from '../../../src/routing/plan.ts';
import { Forecast } from '../../../src/routing/forecast.ts';
import { Layout } from '../../../src/routing/layout.ts';
import type { RuleSpec } from '../../../src/routing/rule.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const read = (file: string): string => readFileSync(`${ROOT}/${file}`, 'utf8');
const MANUAL = read('docs/routing.md');

function blocks(language: string): string[] {
  return [...MANUAL.matchAll(/```(\w+)\n(.*?)```/gs)].flatMap(([, name, text = '']) =>
    name === language ? [text] : [],
  );
}

describe('the configurations of routing.md', () => {
  it.each(blocks('yaml').map((text) => [firstLine(text), text]))('%s … is good', (_, text) => {
    const given = parse(text) as { readonly routes?: readonly unknown[]; readonly targets?: object };
    const config = parseConfig('routing.yaml', JSON.stringify(completed(given)), {
      env: { HASH_KEY: 'a key of sixteen letters or more' },
      readFile: () => '',
    });
    expect(config.routes.length).toBe(given.routes?.length ?? 1);
  });

  it('the example of the tools is the layout that the text shows', () => {
    const { routes } = parse(read('docs/examples/trade.yaml')) as { readonly routes: readonly unknown[] };
    const shown = blocks('yaml').map((text) => (parse(text) as { readonly routes?: unknown }).routes);
    expect(shown).toContainEqual(routes);
    expect(shown).toContainEqual(routes.slice(0, 1));
  });
});

/** With the servers that the routes name, on machines of their own. */
function completed({ routes, targets }: { readonly routes?: readonly unknown[]; readonly targets?: object }) {
  const text = JSON.stringify(routes ?? []);
  const stays = [...text.matchAll(/"source:(\w+)"/g)].map(([, name]) => name!);
  const named = [...text.matchAll(/"sources":\[([^\]]+)\]/g)].flatMap(
    ([, list]) => JSON.parse(`[${list}]`) as string[],
  );
  const sources = new Set(stays.length + named.length === 0 ? ['main'] : [...stays, ...named]);
  const used = new Set((routes ?? []).flatMap((route) => targetNames(route as Route)));
  return {
    name: 'docs',
    kafka: { brokers: ['127.0.0.1:9092'] },
    sources: Object.fromEntries(
      [...sources].map((name, i) => [
        name,
        { url: `mysql://u:p@source-${i}`, serverId: i + 1, tables: ['*.*'] },
      ]),
    ),
    targets:
      targets ?? Object.fromEntries([...used].map((name) => [name, { url: `mysql://u:p@${name}/shop` }])),
    routes: routes ?? [{ from: 'shop.orders', target: targetsOf(targets)[0] }],
  };
}

interface Route {
  readonly target?: string;
  readonly targets?: readonly string[];
  readonly shards?: { readonly on?: readonly string[]; readonly map?: object };
}

function targetNames({ target, targets = [], shards }: Route): string[] {
  const names = [
    ...(target === undefined ? [] : [target]),
    ...targets,
    ...(shards?.on ?? []),
    ...Object.keys(shards?.map ?? {}),
  ];
  return names.filter((name) => !name.startsWith('source:')).flatMap(expanded);
}

function targetsOf(targets: object | undefined): string[] {
  return Object.keys(targets ?? {}).flatMap(expanded);
}

function expanded(name: string): string[] {
  const names = expandBraces(name);
  if ('wrong' in names) throw new Error(`${name} ${names.wrong}`);
  return names.map((one) => one.name);
}

describe('the commands of routing.md', () => {
  it.each(blocks('console').map((text) => [firstLine(text), text]))('%s', async (_, text) => {
    const [command = '', ...lines] = text.trimEnd().split('\n');
    const answer = await run(words(command.replace(/^\$ rowferry /, '')));
    // The day on which it is asked decides the day on which it is full.
    const dated = /\d{4}-\d\d-\d\d$/gm;
    expect(answer.replace(dated, 'DAY')).toBe(lines.join('\n').replace(dated, 'DAY'));
  });
});

/** What the program writes to a pipe. */
async function run(args: readonly string[]): Promise<string> {
  const nodeArgs = ['--import', import.meta.resolve('tsx'), 'src/main.ts', ...args];
  return await new Promise((resolve) => {
    execFile(process.execPath, nodeArgs, { cwd: ROOT }, (_, stdout, stderr) =>
      resolve((stdout + stderr).trimEnd()),
    );
  });
}

/** As a shell cuts a command with single quotes. */
function words(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

function firstLine(text: string): string {
  return text.split('\n').find((line) => line.trim() !== 'routes:') ?? '';
}

describe('the numbers of routing.md', () => {
  const by = 'id';
  const layout = (shards: RuleSpec, tables?: RuleSpec): Layout =>
    new Layout({
      to: 't',
      targets: names(shards),
      shards,
      tables: tables === undefined ? null : { rule: tables },
    });
  const modulo = (count: number): Layout => layout({ algorithm: 'modulo', by, count });
  const hash = (count: number): Layout => layout({ algorithm: 'hash', by, count });
  const segments = (count: number): Layout => layout({ algorithm: 'segments', by, count });
  const owners = (map: Record<string, string>): Layout => layout({ algorithm: 'slot-map', by, map });
  const two = (databases: number, tables: number): Layout =>
    layout(
      { algorithm: 'segments', by, count: databases, half: 'high' },
      { algorithm: 'segments', by, count: tables },
    );
  const ring = (count: number, points = 160): Layout =>
    layout({ algorithm: 'ring', by, nodes: Array.from({ length: count }, (_, i) => `s${i}`), points });
  const ids = Array.from({ length: 1_000_000 }, (_, id) => [id]);

  it.each<[string, readonly (readonly [Layout, Layout])[], string]>([
    [
      '`modulo`, `hash`: 2 -> 4, 4 -> 8, 16 -> 32',
      [2, 4, 16].flatMap((n) => [[modulo(n), modulo(2 * n)] as const, [hash(n), hash(2 * n)] as const]),
      '1/2',
    ],
    ['`modulo`, `hash`: 2 -> 3', [[modulo(2), modulo(3)]], '2/3'],
    ['`modulo`, `hash`: 3 -> 4', [[hash(3), hash(4)]], '3/4'],
    ['`modulo`, `hash`: 8 -> 9', [[modulo(8), modulo(9)]], '8/9'],
    ['`segments`: 16 -> 32 of 64 slots', [[segments(16), segments(32)]], '1/2'],
    ['Two levels: 16 × 16 -> 16 × 32', [[two(16, 16), two(16, 32)]], '1/2, each within its target'],
    ['Two levels: 16 × 16 -> 32 × 32', [[two(16, 16), two(32, 32)]], '3/4'],
    [
      '`slot-map`: a fifth shard takes 12 of 64 slots',
      [
        [
          owners({ a: '0-15', b: '16-31', c: '32-47', d: '48-63' }),
          owners({ a: '0-12', b: '16-28', c: '32-44', d: '48-60', e: '13-15, 29-31, 45-47, 61-63' }),
        ],
      ],
      '3/16',
    ],
    [
      '`slot-map`: one hot slot gets its own shard',
      [[owners({ a: '0-31', b: '32-63' }), owners({ a: '0-31', b: '32-39, 41-63', hot: '40' })]],
      '1/64',
    ],
  ])('%s', (change, pairs, share) => {
    expect(MANUAL.replaceAll(/ +\|/g, ' |')).toContain(`| ${change} | ${share} |`);
    for (const [from, to] of pairs) {
      const plan = planByPeriod(from, to);
      expect(`${plan?.share.numerator}/${plan?.share.denominator}`).toBe(share.split(',')[0]);
    }
  });

  it.each([2, 4, 8])('a ring of %i nodes and one more', (count) => {
    const { percent } = planByKeys(ring(count), ring(count + 1), ids).share;
    expect(MANUAL.replaceAll(/ +\|/g, ' |')).toContain(
      `| \`ring\`: ${count} -> ${count + 1} | ${percent.toFixed(2)} % |`,
    );
  });

  it.each([160, 640])('the skew of a ring with %i points', (points) => {
    const forecast = new Forecast(ring(8, points));
    for (const id of ids) forecast.add(id);
    const { skew } = forecast.result({ maxSkew: 2, allowEmpty: false }).byCell;
    expect(MANUAL).toMatch(new RegExp(`${skew?.toFixed(2)} times( its part)? with ${points}`));
  });

  it('the 64 of 4,096, and counts without a common divisor', () => {
    const same: RuleSpec = { algorithm: 'segments', by, count: 64 };
    expect(() => layout(same, same)).toThrow(/only 64 of 4096 cells/);
    expect(layout({ algorithm: 'modulo', by, count: 3 }, { algorithm: 'modulo', by, count: 4 }).cells).toBe(
      12,
    );
  });

  it('the exact key and the negative one', () => {
    expect(segments(64).shards?.indexOf('9007199254740993')).toBe(1);
    expect(segments(64).shards?.indexOf(-1)).toBe(63);
    expect(two(64, 64).shards?.indexOf(-1)).toBe(63);
  });
});

function names(rule: RuleSpec): string[] {
  if (rule.algorithm === 'slot-map') return Object.keys(rule.map);
  if (rule.algorithm === 'ring') return [...rule.nodes];
  // A shard keeps its name when the others get new neighbours: segments are named by their first slot.
  if (rule.algorithm === 'segments')
    return Array.from({ length: rule.count }, (_, i) => `s${(i * 64) / rule.count}`);
  return 'count' in rule ? Array.from({ length: rule.count ?? 0 }, (_, i) => `s${i}`) : [];
}

it('routing.md shows the very program of the example', () => {
  expect(blocks('js')).toEqual([read('docs/examples/route-a-key.mjs')]);
});

it('every file and heading that routing.md points at is there', () => {
  for (const [, heading] of MANUAL.matchAll(/\]\(#([\w-]+)\)/g)) {
    const headings = [...MANUAL.matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
      text
        .toLowerCase()
        .replaceAll(/[^\w ]/g, '')
        .replaceAll(' ', '-'),
    );
    expect(headings).toContain(heading);
  }
  for (const [file] of MANUAL.matchAll(/docs\/examples\/[\w.-]+\w/g)) expect(read(file)).not.toBe('');
});
