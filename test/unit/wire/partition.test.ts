import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Column, Row } from '../../../src/model/table.ts';
import { partitioner } from '../../../src/wire/partition.ts';

const shop = (columns: Column[], key: number[]) => ({ schema: 'shop', name: 'orders', columns, key });
const bigint = shop([{ name: 'id', type: 'bigint' }], [0]);
const loose = shop([{ name: 'code', type: 'varchar', compares: 'loose' }], [0]);
const exact = shop([{ name: 'code', type: 'varbinary' }], [0]);

describe('partitioner', () => {
  it('is a wire contract: these vectors never change', () => {
    const of = partitioner(bigint, 1000);
    expect(
      ['0', '1', '2', '42', '-1', '9007199254740993', '18446744073709551615'].map((id) => of([id])),
    ).toEqual(VECTORS);
    expect(partitioner(loose, 1000)(['Ærøskøbing'])).toBe(LOOSE_VECTOR);
  });

  it('gives one partition to a key whatever JSON type carries it', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 64 }), (id, count) => {
        const of = partitioner(bigint, count);
        expect(of([id])).toBe(of([String(id)]));
      }),
    );
  });

  it('stays within the partitions and spreads a run of ids evenly', () => {
    const of = partitioner(bigint, 8);
    const rows = Array.from({ length: 8 }, () => 0);
    for (let id = 0; id < 80_000; id++) rows[of([id])]! += 1;
    for (const count of rows) expect(Math.abs(count - 10_000)).toBeLessThan(600);
  });

  it('keeps texts together that the source may call equal, whatever the collation says today, and bytes apart', () => {
    const ofLoose = partitioner(loose, 4096);
    const ofExact = partitioner(exact, 4096);
    for (const [a, b] of [
      ['abc', 'ABC'],
      ['abc', 'abc  '],
      ['straße', 'STRASSE'],
      ['é', 'e\u0301'],
      ['Œuvre', 'oeuvre'],
      ['ひ', 'ヒ'],
      ['ﬁn', 'FIN'],
    ] as const) {
      expect(ofLoose([a]), `${a} and ${b}`).toBe(ofLoose([b]));
      expect(ofExact([a])).not.toBe(ofExact([b]));
    }
  });

  it('ignores columns outside the key, the shard key among them (I-2)', () => {
    const table = shop(
      [
        { name: 'id', type: 'bigint' },
        { name: 'user_id', type: 'bigint' },
      ],
      [0],
    );
    const of = partitioner(table, 64);
    fc.assert(
      fc.property(
        fc.bigInt(),
        fc.string(),
        fc.string(),
        (id, a, b) => of([String(id), a]) === of([String(id), b]),
      ),
    );
  });

  it('tells composite keys apart by where one value ends', () => {
    const of = partitioner(
      shop(
        [
          { name: 'a', type: 'varbinary' },
          { name: 'b', type: 'varbinary' },
        ],
        [0, 1],
      ),
      1 << 30,
    );
    expect(of(['ab', 'c'] as Row)).not.toBe(of(['a', 'bc'] as Row));
  });
});

const VECTORS = [177, 941, 624, 801, 381, 667, 435];
const LOOSE_VECTOR = 160;
