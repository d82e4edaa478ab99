import { readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../../src/errors.ts';
import { GOOD, parse } from '../config/config-text.ts';

const read = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');

describe('the documents', () => {
  it('README shows the very configuration that the demo runs', () => {
    const shown = /```yaml\n([\s\S]*?)\n```/.exec(read('README.md'))?.[1];
    expect(shown).toBe(read('scripts/demo/shop.yaml').trimEnd());
  });

  it('every document that README names is there', () => {
    const named = [...read('README.md').matchAll(/docs\/[\w-]+\.md/g)].map(([file]) => file);
    expect(named.length).toBeGreaterThan(2);
    for (const file of named) expect(read(file).length).toBeGreaterThan(500);
  });

  it('the settings that schema.md shows are good', () => {
    const shown = /```yaml\n([\s\S]*?)```/.exec(read('docs/schema.md'))?.[1] ?? '';
    expect(parse(`${GOOD}${shown}`).schema).toMatchObject({
      indexes: 'after',
      types: [{ type: 'json' }, {}],
    });
  });

  it('each link leads to a document that is there, and to a heading that it has', () => {
    const documents = [
      'README.md',
      ...readdirSync(new URL('../../../docs', import.meta.url)).map((file) => `docs/${file}`),
    ];
    const slug = (heading: string): string =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(/\s/g, '-');
    const headings = (file: string): string[] =>
      [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => slug(heading));
    let links = 0;
    for (const document of documents.filter((file) => file.endsWith('.md'))) {
      for (const [link, file, anchor] of read(document).matchAll(
        /\]\((?!https?:)([\w./-]*)(?:#([\w-]+))?\)/g,
      )) {
        const url = new URL(file === '' ? document : `${document.replace(/[^/]*$/, '')}${file}`, 'file:///');
        const place = url.pathname.slice(1);
        expect(
          () => statSync(new URL(`../../../${place}`, import.meta.url)),
          `${document}: ${link}`,
        ).not.toThrow();
        if (anchor !== undefined) expect(headings(place), `${document}: ${link}`).toContain(anchor);
        links += 1;
      }
    }
    expect(links).toBeGreaterThan(50);
  });

  it('operations.md has an entry for every error code', () => {
    const operations = read('docs/operations.md');
    for (const code of Object.keys(ERROR_CODES)) expect(operations, code).toContain(`\`${code}\``);
  });
});
