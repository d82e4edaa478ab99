import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { loadRoutes } from '../../../src/config/routes.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { ERROR_CODES } from '../../../src/errors.ts';
import { Layout } from '../../../src/routing/layout.ts';
import * as library from '../../../src/routing/library.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const LIBRARY = join(ROOT, 'src/routing/library.ts');
const EXAMPLES = join(ROOT, 'docs/examples');

/** What a module is imported from: its own files by path, others by name. */
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g;

/** Every file that a file leads to, itself included, and every package. */
function reach(file: string, files = new Set<string>(), packages = new Set<string>()) {
  files.add(file);
  for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
    if (!name.startsWith('.')) packages.add(name);
    else if (!files.has(resolve(dirname(file), name))) reach(resolve(dirname(file), name), files, packages);
  }
  return { files: [...files].map((path) => relative(ROOT, path)), packages: [...packages] };
}

describe('the routing library', () => {
  it('reaches nothing but routing, the model and errors: no driver, no configuration, no I/O', () => {
    const { files, packages } = reach(LIBRARY);
    expect(files).toContain('src/routing/expression-parts.ts');
    const others = files.filter((file) => !/^src\/(?:routing|model)\/|^src\/errors\.ts$/.test(file));
    expect(others).toEqual([]);
    expect(packages.filter((name) => !['xxhash-wasm', 'node:crypto'].includes(name))).toEqual([]);
  });

  it('asks no clock, no chance and no process either', () => {
    for (const file of reach(LIBRARY).files) {
      const text = readFileSync(join(ROOT, file), 'utf8');
      expect(text, file).not.toMatch(/\bprocess\.|\bfetch\(|Date\.now|new Date\(\)|Math\.random|setTimeout/);
    }
  });

  it('exports what applications need, and no more by accident', () => {
    expect(Object.keys(library).toSorted()).toEqual([
      'Forecast',
      'KeyPlan',
      'Layout',
      'RowferryError',
      'capacityOf',
      'columnsOfBoth',
      'createRule',
      'currentIndex',
      'dateAfterMonths',
      'indexRange',
      'isBusinessNumber',
      'locateNumber',
      'planByKeys',
      'planByPeriod',
      'reachedCells',
      'routesNumbers',
      'rowsOfShare',
      'slotsOfNumber',
    ]);
  });

  it('is what the daemon routes by: one class, one answer', () => {
    expect(library.Layout).toBe(Layout);
    expect(Object.keys(ERROR_CODES)).toContain(new library.RowferryError('ROWFERRY_ROUTE_KEY', 'x').code);
  });
});

describe('the examples of the library', () => {
  it('route-a-key.mjs runs as it stands and prints what it promises', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rowferry-example-'));
    try {
      const text = readFileSync(join(EXAMPLES, 'route-a-key.mjs'), 'utf8');
      expect(text).toContain("from 'rowferry/routing'");
      const file = join(folder, 'route-a-key.mjs');
      writeFileSync(file, text.replace("'rowferry/routing'", JSON.stringify(LIBRARY)));
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', tsx(), file]);
      expect(stdout.trimEnd().split('\n')).toEqual([
        'trade_12.trade_order_40',
        'trade_00.trade_order_00',
        'trade_12.trade_order_40',
        'trade_12.trade_order_40',
        'ROWFERRY_ROUTE_KEY',
        "[ 'log_2026_10', 'log_2026_11' ]",
        '{ numerator: 1, denominator: 2, percent: 50 }',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('shard-by-region.mjs serves as the module of a custom rule', async () => {
    const layout = await regionLayout();
    const place = (region: string, user_id: string) => layout.locate({ region, user_id }).target;
    expect([place('eu', '7'), place('eu', '8'), place('us', '7'), place('us', '8')]).toEqual([
      'eu_1',
      'eu_0',
      'us_1',
      'us_0',
    ]);
    expect(place('us', '18446744073709551615')).toBe('us_1');
    expect(place('eu', '-1')).toBe('eu_1');
    expect(() => place('mars', '7')).toThrow(
      expect.objectContaining({
        code: 'ROWFERRY_ROUTE_KEY',
        message: expect.not.stringContaining('mars') as string,
      }),
    );
  });

  it('shard-by-region.mjs is told from another version of itself by its text', async () => {
    const { shards } = (await regionLayout()).spec;
    expect(shards).toMatchObject({ version: expect.stringMatching(/^[0-9a-f]{16}$/) as string });
    // Where the module stands is no part of the rule.
    expect(JSON.stringify(shards)).not.toContain('shard-by-region.mjs');
  });
});

/** The route of the manual that names the example, loaded as the daemon loads it. */
async function regionLayout(): Promise<Layout> {
  const config = parseConfig(
    join(EXAMPLES, 'regions.yaml'),
    `name: shop
kafka: { brokers: ["127.0.0.1:9092"] }
sources: { main: { url: "mysql://u:p@127.0.0.1:3306", serverId: 1, tables: ["shop.*"] } }
targets:
  "eu_{0..1}": { url: "mysql://u:p@eu/shop_{}" }
  "us_{0..1}": { url: "mysql://u:p@us/shop_{}" }
routes:
  - from: shop.orders
    shards: { algorithm: custom, by: [region, user_id], module: shard-by-region.mjs, on: ["eu_{0..1}", "us_{0..1}"] }
`,
    { env: {}, readFile: () => '' },
  );
  const [route] = await loadRoutes(config);
  return new Layout({ to: 'orders', ...route!.rule.layout });
}

function tsx(): string {
  return import.meta.resolve('tsx');
}
