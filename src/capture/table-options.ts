/** Reads the options of a table, and how it is partitioned. Pure. */
import { NONE, NOT_UNDERSTOOD, other } from './table-effect.ts';
import type { TableEffect } from './table-effect.ts';
import type { TokenReader } from './token-reader.ts';

/** Options of storage and of what is to come; each with one value behind an optional `=`. */
const OPTIONS = new Set(
  (
    'AUTO_INCREMENT AVG_ROW_LENGTH CHECKSUM TABLE_CHECKSUM COMMENT COMPRESSION CONNECTION DELAY_KEY_WRITE ENCRYPTION ENCRYPTED ' +
    'ENCRYPTION_KEY_ID ENGINE_ATTRIBUTE SECONDARY_ENGINE_ATTRIBUTE KEY_BLOCK_SIZE MAX_ROWS MIN_ROWS PACK_KEYS PAGE_CHECKSUM ' +
    'PAGE_COMPRESSED PAGE_COMPRESSION_LEVEL ROW_FORMAT STATS_AUTO_RECALC STATS_PERSISTENT STATS_SAMPLE_PAGES TABLESPACE ' +
    'TRANSACTIONAL AUTOEXTEND_SIZE ALGORITHM LOCK'
  ).split(' '),
);
/** Engines that keep every row that they are given. */
const ENGINES = new Set(['INNODB', 'MYISAM', 'ARIA', 'ROCKSDB', 'TOKUDB', 'XTRADB', 'NDB', 'NDBCLUSTER']);
const PARTITION_WORDS = [
  'LINEAR',
  'HASH',
  'KEY',
  'RANGE',
  'LIST',
  'COLUMNS',
  'PARTITIONS',
  'SUBPARTITION',
  'SUBPARTITIONS',
  'BY',
  'ALGORITHM',
  '=',
];

/** To the reader's end. */
export function readTableOptions(reader: TokenReader): TableEffect {
  while (!reader.ended) {
    const isDefault = reader.skip('DEFAULT');
    if (reader.skip('CHARACTER', 'SET') || reader.skip('CHARSET') || reader.skip('COLLATE')) {
      // For columns to come.
      if (!skipValue(reader)) return NOT_UNDERSTOOD;
      continue;
    }
    if (isDefault) return NOT_UNDERSTOOD;
    if (reader.skip('FORCE') || reader.skip('REMOVE', 'PARTITIONING')) continue;
    if (reader.skip('PARTITION', 'BY')) return readPartitioning(reader);
    if (reader.skip('ENGINE')) {
      reader.skip('=');
      const engine = (reader.string() ?? reader.identifier() ?? '').toUpperCase();
      if (!ENGINES.has(engine)) return other('moves to a storage engine that may not keep its rows');
      continue;
    }
    if (!OPTIONS.has(reader.word()) || !skipValue(reader)) return NOT_UNDERSTOOD;
  }
  return NONE;
}

function skipValue(reader: TokenReader): boolean {
  reader.skip('=');
  return reader.string() !== null || reader.identifier() !== null;
}

function readPartitioning(reader: TokenReader): TableEffect {
  if (!['LINEAR', 'HASH', 'KEY', 'RANGE', 'LIST'].includes(reader.peekWord())) return NOT_UNDERSTOOD;
  while (!reader.ended) {
    const isKnown = reader.group() !== null || reader.skipOne(PARTITION_WORDS) || reader.integer() !== null;
    if (!isKnown) return NOT_UNDERSTOOD;
  }
  return NONE;
}
