/** Reads the definition of an index. Pure. */
import type { IndexDefinition } from '../model/schema-change.ts';
import { splitAtCommas, TokenReader } from './token-reader.ts';
import type { Token } from './tokens.ts';

/** Null when it has expressions, which each server spells in its own way; undefined when it was not understood. */
type ReadIndex = IndexDefinition | null | undefined;

/** From the name on: `[name] [USING t] (a, b(10) DESC) [options]`. */
export function readIndex(reader: TokenReader): ReadIndex {
  reader.skip('IF', 'NOT', 'EXISTS');
  const name = reader.comes('(') || isAlgorithm(reader) ? null : reader.identifier();
  if (!skipAlgorithm(reader)) return undefined;
  return readParts(reader, name);
}

/** `(a, b(10) DESC) [options]` of an index with that name. */
export function readParts(reader: TokenReader, name: string | null): ReadIndex {
  const group = reader.group();
  const parts = group === null ? null : splitAtCommas(group);
  if (parts === null || !skipOptions(reader)) return undefined;
  const read: IndexDefinition['parts'][number][] = [];
  let isPlain = true;
  for (const tokens of parts) {
    const part = partOf(tokens);
    if (part === undefined) return undefined;
    if (part === null) isPlain = false;
    else read.push(part);
  }
  return isPlain ? { name, parts: read } : null;
}

function partOf(tokens: readonly Token[]): IndexDefinition['parts'][number] | null | undefined {
  const reader = new TokenReader(tokens, '');
  const expression = reader.group();
  const column = expression === null ? reader.identifier() : null;
  if (expression === null && column === null) return undefined;
  let prefix: number | null = null;
  if (column !== null && reader.comes('(')) {
    const inner = new TokenReader(reader.group() ?? [], '');
    prefix = inner.integer();
    if (prefix === null || !inner.ended) return undefined;
  }
  const descending = reader.skip('DESC');
  if (!descending) reader.skip('ASC');
  if (!reader.ended) return undefined;
  return column === null ? null : { column, prefix, descending };
}

/** `USING BTREE`, also before ON in CREATE INDEX. False when USING is followed by something else. */
export function skipAlgorithm(reader: TokenReader): boolean {
  if (!isAlgorithm(reader)) return true;
  reader.step();
  return reader.skipOne(['BTREE', 'HASH', 'RTREE']);
}

function isAlgorithm(reader: TokenReader): boolean {
  return (
    reader.comes('USING') || /^(?:BTREE|HASH|RTREE)$/.test(reader.comes('TYPE') ? reader.peekWord(1) : '')
  );
}

/** To the reader's end; false when something is left that is no option of an index. */
export function skipOptions(reader: TokenReader): boolean {
  while (!reader.ended) {
    if (isAlgorithm(reader)) {
      if (!skipAlgorithm(reader)) return false;
    } else if (reader.skip('COMMENT')) {
      if (reader.string() === null) return false;
    } else if (reader.skip('WITH', 'PARSER')) {
      if (reader.identifier() === null) return false;
    } else if (reader.skip('NOT', 'IGNORED')) continue;
    else if (reader.skipOne(['VISIBLE', 'INVISIBLE', 'IGNORED', 'NOWAIT', ';'])) continue;
    else if (reader.skipOne(['ALGORITHM', 'LOCK', 'KEY_BLOCK_SIZE', 'WAIT', 'CLUSTERING'])) {
      reader.skip('=');
      if (reader.identifier() === null) return false;
    } else if (reader.skipOne(['ENGINE_ATTRIBUTE', 'SECONDARY_ENGINE_ATTRIBUTE'])) {
      reader.skip('=');
      if (reader.string() === null) return false;
    } else return false;
  }
  return true;
}
