/** Whether a column may become another type with every value that it holds meaning the same. Pure. */
import { parseMysqlType } from '../model/mysql-literals.ts';
import { parsePostgresType } from '../model/postgres-texts.ts';
import { parseSourceType } from '../model/values.ts';
import { fitOf } from './type-room.ts';

export function holdsFormer(engine: 'mysql' | 'postgres', former: string, type: string): boolean {
  if (former === type) return true;
  return engine === 'mysql' ? holdsMysql(former, type) : holdsPostgres(former, type);
}

function holdsMysql(former: string, type: string): boolean {
  // Between kinds the server converts values by rules of its own.
  const isSameKind = parseMysqlType(former).kind === parseMysqlType(type).kind;
  return isSameKind && parseSourceType(former) !== undefined && fitOf('mysql', former, type) === 'fits';
}

const INTEGER_DIGITS: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 };

function holdsPostgres(former: string, type: string): boolean {
  const [from, to] = [parsePostgresType(former), parsePostgresType(type)];
  const [first, second] = from.args;
  const [length, scale] = to.args;
  if (from.kind === 'integer') {
    const digits = INTEGER_DIGITS[from.base] ?? Infinity;
    if (to.kind === 'integer') return (INTEGER_DIGITS[to.base] ?? 0) >= digits;
    return to.kind === 'numeric' && (length === undefined || length - (scale ?? 0) >= digits);
  }
  if (from.kind !== to.kind) return from.kind === 'real' && to.kind === 'double';
  switch (from.kind) {
    case 'numeric':
      if (length === undefined) return true;
      return (
        first !== undefined && (scale ?? 0) >= (second ?? 0) && length - (scale ?? 0) >= first - (second ?? 0)
      );
    case 'text':
      // Without a length there is no bound, but for character, which means one letter.
      if (length === undefined) return to.base === 'text' || to.base === 'character varying';
      if (to.base === 'character' && from.base !== 'character') return false;
      return length >= (first ?? (from.base === 'character' ? 1 : Infinity));
    case 'timestamp':
    case 'timestamptz':
    case 'time':
    case 'interval':
      return (length ?? 6) >= (first ?? 6);
    case 'bytea':
    case 'real':
    case 'double':
    case 'date':
      return true;
    default:
      // BIT fills up on the other side than MySQL does; of other types nothing is known.
      return false;
  }
}
