/**
 * What the clauses of an ALTER TABLE do. Whatever is not known clause for clause to leave rows and columns alone, or to add to
 * them, stops the table. Pure.
 */
import { readColumn } from './column-definition.ts';
import type { Dialect } from './column-type.ts';
import { readIndex } from './index-definition.ts';
import { combined, NONE, NOT_UNDERSTOOD, other } from './table-effect.ts';
import type { TableEffect } from './table-effect.ts';
import { readTableOptions } from './table-options.ts';
import { splitAtCommas, TokenReader } from './token-reader.ts';
import type { Token } from './tokens.ts';

const PRIMARY_KEY = other('changes the primary key');
const DROPS_COLUMN = other('drops a column');
/** What a table waits for, in the words in which it is told (`HeldTable.why`). */
export const RENAMES = 'renames a column';
const RENAMES_COLUMN = other(RENAMES);
const VERSIONING = other('changes system versioning');

/** `tokens`: all that follows the table's name. */
export function alterEffect(tokens: readonly Token[], dialect: Dialect): TableEffect {
  const clauses = splitAtCommas(withoutEnd(tokens));
  if (clauses === null) return NOT_UNDERSTOOD;
  const effects: TableEffect[] = [];
  for (let at = 0; at < clauses.length; at++) {
    const clause = clauses[at] ?? [];
    effects.push(clauseEffect(clause, dialect));
    if (!takesList(clause)) continue;
    // `ORDER BY a, b` and `REORGANIZE PARTITION p, q INTO (…)`.
    while (at + 1 < clauses.length && isListItem(clauses[at + 1] ?? [])) at++;
  }
  // Whatever else it does: an acknowledgement looks at the targets for a rename (`src/wiring/acknowledge.ts`).
  return effects.includes(RENAMES_COLUMN) ? RENAMES_COLUMN : combined(effects);
}

function withoutEnd(tokens: readonly Token[]): readonly Token[] {
  const last = tokens.at(-1);
  return last?.kind === 'mark' && last.text === ';' ? tokens.slice(0, -1) : tokens;
}

function clauseEffect(tokens: readonly Token[], dialect: Dialect): TableEffect {
  const reader = new TokenReader(tokens, '');
  switch (reader.peekWord()) {
    case 'ADD':
      reader.step();
      return addition(reader, dialect);
    case 'DROP':
      reader.step();
      return removal(reader);
    case 'MODIFY':
      reader.step();
      return change(reader, dialect, false);
    case 'CHANGE':
      reader.step();
      return change(reader, dialect, true);
    case 'ALTER':
      reader.step();
      return alteration(reader);
    case 'RENAME':
      reader.step();
      return renaming(reader);
    case 'CONVERT':
      reader.step();
      return reader.comes('TO') ? other('converts its text to a character set') : other('exchanges rows');
    case 'TRUNCATE':
      return other('empties a partition');
    case 'EXCHANGE':
      return other('exchanges rows');
    case 'DISCARD':
    case 'IMPORT':
      return other('replaces its rows (TABLESPACE)');
    case 'ORDER':
      reader.step();
      return reader.skip('BY') && isListItem(reader.rest()) ? NONE : NOT_UNDERSTOOD;
    case 'ANALYZE':
    case 'CHECK':
    case 'OPTIMIZE':
    case 'REBUILD':
    case 'REORGANIZE':
    case 'COALESCE':
      reader.step();
      return partitions(reader);
    case 'DISABLE':
    case 'ENABLE':
      reader.step();
      return reader.skip('KEYS') ? ended(reader, NONE) : NOT_UNDERSTOOD;
    case 'WITH':
    case 'WITHOUT':
      reader.step();
      return reader.skip('VALIDATION') ? ended(reader, NONE) : NOT_UNDERSTOOD;
    default:
      // Nothing at all is what is left of a text that was cut.
      return reader.ended ? NOT_UNDERSTOOD : readTableOptions(reader);
  }
}

/** The effect if the clause ends here. A partitioning may follow the last clause without a comma. */
function ended(reader: TokenReader, effect: TableEffect): TableEffect {
  if (reader.ended) return effect;
  const isPartitioning = reader.comes('PARTITION', 'BY') || reader.comes('REMOVE', 'PARTITIONING');
  if (!isPartitioning) return NOT_UNDERSTOOD;
  return combined([effect, readTableOptions(reader)]);
}

function addition(reader: TokenReader, dialect: Dialect): TableEffect {
  if (reader.skip('CONSTRAINT')) {
    reader.skip('IF', 'NOT', 'EXISTS');
    if (!['PRIMARY', 'UNIQUE', 'FOREIGN', 'CHECK'].includes(reader.peekWord())) reader.identifier();
    return constraint(reader);
  }
  switch (reader.peekWord()) {
    case 'PRIMARY':
    case 'UNIQUE':
    case 'FOREIGN':
    case 'CHECK':
      return constraint(reader);
    case 'INDEX':
    case 'KEY': {
      reader.step();
      const index = readIndex(reader);
      if (index === undefined) return NOT_UNDERSTOOD;
      return index === null ? NONE : { kind: 'additive', steps: [{ kind: 'add index', index }] };
    }
    case 'FULLTEXT':
    case 'SPATIAL':
    case 'VECTOR':
      if (reader.comes('VECTOR') && !['INDEX', 'KEY'].includes(reader.peekWord(1))) break;
      reader.step();
      reader.skipOne(['INDEX', 'KEY']);
      return readIndex(reader) === undefined ? NOT_UNDERSTOOD : NONE;
    case 'PARTITION':
      return partitions(reader);
    case 'PERIOD':
      if (reader.comes('PERIOD', 'FOR')) return VERSIONING;
      break;
    case 'SYSTEM':
      if (reader.comes('SYSTEM', 'VERSIONING')) return VERSIONING;
      break;
    default:
      break;
  }
  reader.skip('COLUMN');
  reader.skip('IF', 'NOT', 'EXISTS');
  if (!reader.comes('(')) return newColumn(reader, dialect);
  const columns = splitAtCommas(reader.group() ?? []);
  if (columns === null) return NOT_UNDERSTOOD;
  return ended(reader, combined(columns.map((tokens) => newColumn(new TokenReader(tokens, ''), dialect))));
}

function newColumn(reader: TokenReader, dialect: Dialect): TableEffect {
  // Indexes may stand between the columns of a list.
  const isOther = /^(?:PRIMARY|UNIQUE|FOREIGN|CHECK|CONSTRAINT|INDEX|KEY|FULLTEXT|SPATIAL)$/;
  const name = isOther.test(reader.peekWord()) ? null : reader.identifier();
  if (name === null) return NOT_UNDERSTOOD;
  const read = readColumn(reader, name, true, dialect);
  if (read.kind === 'other') return read;
  return { kind: 'additive', steps: [{ kind: 'add column', column: read.column }] };
}

function constraint(reader: TokenReader): TableEffect {
  if (reader.skip('UNIQUE')) {
    reader.skipOne(['INDEX', 'KEY']);
    return readIndex(reader) === undefined ? NOT_UNDERSTOOD : NONE;
  }
  if (reader.skip('FOREIGN', 'KEY')) return foreignKey(reader);
  if (!reader.skip('CHECK')) return reader.comes('PRIMARY', 'KEY') ? PRIMARY_KEY : NOT_UNDERSTOOD;
  if (reader.group() === null) return NOT_UNDERSTOOD;
  reader.skip('NOT');
  reader.skip('ENFORCED');
  return ended(reader, NONE);
}

function foreignKey(reader: TokenReader): TableEffect {
  reader.skip('IF', 'NOT', 'EXISTS');
  if (!reader.comes('(')) reader.identifier();
  if (reader.group() === null || !reader.skip('REFERENCES') || reader.name() === null) return NOT_UNDERSTOOD;
  reader.group();
  if (reader.skip('MATCH')) reader.step();
  while (reader.skip('ON', 'DELETE') || reader.skip('ON', 'UPDATE')) {
    // The engine changes rows for it that come nowhere in the binlog.
    if (!reader.skip('RESTRICT') && !reader.skip('NO', 'ACTION'))
      return other('adds a foreign key that changes rows which are not in the binlog');
  }
  return ended(reader, NONE);
}

function removal(reader: TokenReader): TableEffect {
  switch (reader.peekWord()) {
    case 'PRIMARY':
      return PRIMARY_KEY;
    case 'PARTITION':
      return other('drops a partition');
    case 'PERIOD':
      if (reader.comes('PERIOD', 'FOR')) return VERSIONING;
      return DROPS_COLUMN;
    case 'SYSTEM':
      return reader.comes('SYSTEM', 'VERSIONING') ? VERSIONING : DROPS_COLUMN;
    case 'FOREIGN':
      return reader.skip('FOREIGN', 'KEY') ? named(reader) : NOT_UNDERSTOOD;
    case 'INDEX':
    case 'KEY':
    case 'CHECK':
    case 'CONSTRAINT':
      reader.step();
      return named(reader);
    default:
      return reader.ended ? NOT_UNDERSTOOD : DROPS_COLUMN;
  }
}

/** The name of what goes, at the clause's end. The primary key's index has the name PRIMARY. */
function named(reader: TokenReader): TableEffect {
  reader.skip('IF', 'EXISTS');
  const name = reader.identifier();
  if (name === null) return NOT_UNDERSTOOD;
  return name.toUpperCase() === 'PRIMARY' ? PRIMARY_KEY : ended(reader, NONE);
}

function change(reader: TokenReader, dialect: Dialect, renames: boolean): TableEffect {
  reader.skip('COLUMN');
  reader.skip('IF', 'EXISTS');
  const former = reader.identifier();
  const name = renames ? reader.identifier() : former;
  if (former === null || name === null) return NOT_UNDERSTOOD;
  if (name.toLowerCase() !== former.toLowerCase()) return RENAMES_COLUMN;
  const read = readColumn(reader, name, false, dialect);
  if (read.kind === 'other') return read;
  return { kind: 'additive', steps: [{ kind: 'widen column', column: read.column }] };
}

/** Defaults for rows to come, and what the optimizer or a SELECT * sees. */
function alteration(reader: TokenReader): TableEffect {
  if (reader.skip('INDEX') || reader.skip('KEY')) {
    if (reader.skip('IF', 'EXISTS') && reader.ended) return NOT_UNDERSTOOD;
    if (reader.identifier() === null) return NOT_UNDERSTOOD;
    reader.skip('NOT');
    return reader.skipOne(['VISIBLE', 'INVISIBLE', 'IGNORED']) ? ended(reader, NONE) : NOT_UNDERSTOOD;
  }
  if (reader.skip('CHECK') || reader.skip('CONSTRAINT')) {
    if (reader.identifier() === null) return NOT_UNDERSTOOD;
    reader.skip('NOT');
    return reader.skip('ENFORCED') ? ended(reader, NONE) : NOT_UNDERSTOOD;
  }
  reader.skip('COLUMN');
  reader.skip('IF', 'EXISTS');
  if (reader.identifier() === null) return NOT_UNDERSTOOD;
  if (reader.skip('DROP', 'DEFAULT') || reader.skip('SET', 'VISIBLE') || reader.skip('SET', 'INVISIBLE'))
    return ended(reader, NONE);
  if (!reader.skip('SET', 'DEFAULT')) return NOT_UNDERSTOOD;
  // One literal, with a sign or a prefix, or an expression.
  reader.skipOne(['-', '+']);
  const isPrefixed = reader.peek()?.kind === 'word' && reader.peek(1)?.kind === 'string';
  if (isPrefixed) reader.step();
  if (reader.group() === null) {
    if (reader.ended || reader.peek()?.kind === 'mark') return NOT_UNDERSTOOD;
    reader.step();
    if (reader.comes('(')) reader.group();
  }
  return ended(reader, NONE);
}

function renaming(reader: TokenReader): TableEffect {
  if (reader.skip('COLUMN')) return RENAMES_COLUMN;
  if (!reader.skip('INDEX') && !reader.skip('KEY')) return other('renames a table');
  reader.skip('IF', 'EXISTS');
  if (reader.identifier() === null || !reader.skip('TO') || reader.identifier() === null)
    return NOT_UNDERSTOOD;
  return ended(reader, NONE);
}

/** What loses no row: what follows ADD, ANALYZE, REORGANIZE … up to the clause's end. */
function partitions(reader: TokenReader): TableEffect {
  if (!reader.skip('PARTITION')) return NOT_UNDERSTOOD;
  reader.skipOne(['NO_WRITE_TO_BINLOG', 'LOCAL']);
  reader.skip('IF', 'NOT', 'EXISTS');
  if (reader.group() !== null) return reader.ended ? NONE : NOT_UNDERSTOOD;
  if (reader.skip('PARTITIONS')) return reader.integer() !== null && reader.ended ? NONE : NOT_UNDERSTOOD;
  if (reader.ended) return NOT_UNDERSTOOD;
  return isListItem(reader.rest()) ? NONE : NOT_UNDERSTOOD;
}

function takesList(clause: readonly Token[]): boolean {
  const reader = new TokenReader(clause, '');
  if (reader.comes('ORDER', 'BY')) return true;
  const isList = reader.skipOne(['ANALYZE', 'CHECK', 'OPTIMIZE', 'REBUILD', 'REORGANIZE']);
  return isList && reader.comes('PARTITION');
}

/** `a`, `a DESC`, `t.a`, `p INTO (…)`; a keyword that begins a clause is none. */
function isListItem(tokens: readonly Token[]): boolean {
  const reader = new TokenReader(tokens, '');
  if (reader.comes('FORCE') || reader.name() === null) return false;
  if (reader.skip('INTO')) return reader.group() !== null && reader.ended;
  if (!reader.skip('DESC')) reader.skip('ASC');
  return reader.ended;
}
