/**
 * The partition function (I-2): partition = fmix32(FNV-1a(table, key)) mod count, over (logical table, canonical primary key)
 * (the whole row where there is none) and never over the shard key. It is a wire contract: rows of one key stay in order only while it never changes, which the
 * test vectors in `test/unit/wire/partition.test.ts` pin.
 *
 * FNV-1a (32 bit, offset basis 2166136261, prime 16777619) runs over UTF-16 code units, low byte then high byte when it is
 * not zero; fmix32 is the finaliser of MurmurHash3.
 */
import { looseText } from '../model/row-key.ts';
import type { Row, Table } from '../model/table.ts';
import { tableName } from '../model/table.ts';

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

function hashText(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), PRIME);
    if (unit > 0xff) hash = Math.imul(hash ^ (unit >> 8), PRIME);
  }
  return hash;
}

function finalise(hash: number): number {
  let mixed = hash;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Text keys always count in their coarse form: a collation that changes must not move a key to another partition. */
const TEXT = /^(char|varchar|text|enum|set)/;

/** Chooses partitions for rows of one table shape; made once per shape. `count` is fixed for the life of a topic. */
export function partitioner(table: Table, count: number): (row: Row) => number {
  const seed = hashText(`${tableName(table)}\0`, OFFSET_BASIS);
  // Without a key the whole row decides: only its place must be the same whenever it is read again (I-3).
  const deciding = table.key.length > 0 ? table.key : [...table.columns.keys()];
  const parts = deciding.map((index) => ({ index, loose: TEXT.test(table.columns[index]?.type ?? '') }));
  return (row) => {
    let hash = seed;
    for (const { index, loose } of parts) {
      const text = String(row[index]);
      hash = Math.imul(hashText(loose ? looseText(text) : text, hash) ^ 0x1f, PRIME);
    }
    return finalise(hash) % count;
  };
}
