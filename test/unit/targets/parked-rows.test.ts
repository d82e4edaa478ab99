import { describe, expect, it } from 'vitest';
import { framesOf, toRowferryError } from '../../../src/errors.ts';
import { readKey, readParkedRecord } from '../../../src/targets/control-sql.ts';

const GOOD = {
  topic: 'shop.main',
  partition: '3',
  target_table: 'orders',
  row_key: '["1"]',
  source_shape: '{}',
  image: '[]',
};

describe('a damaged entry of rowferry_parked', () => {
  it.each([
    ['row_key', '[4111-secret'],
    ['row_key', 'secret@example.com'],
    ['row_key', '"secret"'],
    ['row_key', '{"key":"secret"}'],
    ['row_key', 'null'],
    ['source_shape', '{"secret'],
    ['image', '["secret'],
    ['image', '3'],
  ])('is named by its place, and its text is not told: %s %s', (column, text) => {
    let error: unknown;
    try {
      readParkedRecord({ ...GOOD, [column]: text });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({
      code: 'ROWFERRY_WIRE_CORRUPT',
      where: { table: 'orders', topic: 'shop.main', partition: 3 },
    });
    expect(toRowferryError(error, 'applying').describe()).not.toContain('secret');
  });

  it('is none when it is as it was written', () => {
    expect(readKey({ ...GOOD, row_key: '{"key":["1"],"origin":"a"}' })).toEqual({ key: ['1'], origin: 'a' });
    expect(readParkedRecord(GOOD)).toMatchObject({ key: ['1'], image: [] });
  });
});

describe('an error that nobody expected', () => {
  const caught = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (thrown) {
      return thrown;
    }
  };

  it('is told by its name and place alone where its text may quote a value', () => {
    for (const work of [
      () => JSON.parse('{"card": 4111-secret'),
      () => BigInt('secret'),
      () => {
        throw new Error('at secret');
      },
      () => {
        throw new Error('row:\n    at secret (x)');
      },
    ]) {
      const thrown = caught(work);
      const error = toRowferryError(thrown, 'applying');
      expect(error.describe()).toMatch(/^ROWFERRY_INVARIANT: applying: unexpected \w*Error at .*:\d+/);
      expect(`${error.describe()} ${framesOf(thrown).join(' ')}`).not.toContain('secret');
    }
    expect(toRowferryError('secret', 'applying').describe()).not.toContain('secret');
  });

  it('is told in its own words where those name what is in the code, or the system', () => {
    const missing = caught(() => (undefined as unknown as { rows: number }).rows);
    expect(toRowferryError(missing, 'x').message).toContain("reading 'rows'");
    const absent = Object.assign(new Error('ENOENT: no such file'), { syscall: 'open', code: 'ENOENT' });
    expect(toRowferryError(absent, 'x').message).toContain('ENOENT: no such file');
  });
});
