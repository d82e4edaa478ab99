/** Whether a column's default at a target says what a statement at the source gave to the rows that were there. Pure. */
import { parseSourceType } from '../model/values.ts';

/**
 * `wanted` and `actual` are SQL of the target, null for none; `from` is the source's type. Servers print defaults in forms of
 * their own: only what differs for certain is said to differ.
 */
export function defaultsDiffer(from: string, wanted: string | null, actual: string | null): boolean {
  if (actual === null) return wanted !== null;
  // What a server makes anew for each row is the constant of no statement.
  if (/^(?:now\(|current_timestamp|nextval\()/i.test(actual)) return true;
  const there = literalOf(actual);
  if (there === undefined) return false;
  if (wanted === null) return there !== null;
  const due = literalOf(wanted);
  if (due === undefined || due === null || there === null) return due !== undefined && due !== there;
  const family = parseSourceType(from)?.family ?? '';
  switch (family) {
    case 'integer':
    case 'bigint':
    case 'decimal': {
      const [a, b] = [plainNumber(due), plainNumber(there)];
      return a !== undefined && b !== undefined && a !== b;
    }
    case 'date':
    case 'datetime':
    case 'timestamp': {
      const [a, b] = [plainTime(due), plainTime(there)];
      return a !== undefined && b !== undefined && a !== b;
    }
    case 'text':
      return due.trimEnd() !== there.trimEnd();
    case 'enum':
      return due.toLowerCase() !== there.toLowerCase();
    default:
      return false;
  }
}

/** `5`, `'a'`, `'a'::character varying`, `('0'::numeric)`: its text; null for NULL, undefined for what is none of these. */
function literalOf(sql: string): string | null | undefined {
  const bare = sql.replace(/^\(+/, '').replace(/\)+$/, '');
  const found =
    /^(?:'((?:[^'\\]|'')*)'|([-+]?\d+(?:\.\d+)?)|(NULL))(?:::[a-z" ]+(?:\(\d+(?:,\d+)?\)?)?[a-z ]*)?$/i.exec(
      bare,
    );
  if (found === null) return undefined;
  const [, quoted, number, isNull] = found;
  if (isNull !== undefined) return null;
  return quoted?.replaceAll("''", "'") ?? number;
}

function plainNumber(text: string): string | undefined {
  const found = /^([-+]?)0*(\d*?)(?:\.(\d*?)0*)?$/.exec(text.trim());
  if (found === null) return undefined;
  const [, sign = '', whole = '', fraction = ''] = found;
  const digits = `${whole === '' ? '0' : whole}${fraction === '' ? '' : `.${fraction}`}`;
  return sign === '-' && digits !== '0' ? `-${digits}` : digits;
}

/** A day is its midnight. Undefined for other time zones than that in which rows are written. */
function plainTime(text: string): string | undefined {
  const found = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.(\d+?))?0*(?:\+00(?::00)?)?)?$/.exec(text);
  if (found === null) return undefined;
  const [, day = '', time = '00:00:00', fraction = ''] = found;
  return `${day} ${time}.${fraction.replace(/0+$/, '')}`;
}
