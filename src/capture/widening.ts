/** Whether a column may become another without changing a value that it holds. Pure. */
import type { ColumnDefinition } from '../model/schema-change.ts';
import type { Column, ColumnRoom } from '../model/table.ts';
import { parseSourceType } from '../model/values.ts';
import { labelsOf } from '../schema/catalog.ts';

/**
 * `former`: the column in the last shape that the binlog gave of it; without `room` nothing is known to be wider. Names are not
 * compared. `tableCharset`: the character set that a text column without one of its own takes, null when it is not known: then
 * no text without a character set of its own is known to be wider.
 */
export function isWidening(former: Column, next: ColumnDefinition, tableCharset: string | null): boolean {
  const { room } = former;
  if (room === undefined || (room.nullable && !next.nullable)) return false;
  const from = parseSourceType(former.type);
  const to = parseSourceType(next.type.toLowerCase().startsWith('tinyint(1)') ? 'tinyint' : next.type);
  if (from === undefined || to === undefined) return false;
  const [size = null, scale = null] = to.args;
  const isUnsigned = / unsigned$/i.test(next.type);
  // A former number without a sign fits into one with a sign of its own kind; never the other way round.
  const keepsSign = room.unsigned || !isUnsigned;
  switch (from.base) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
      return integerFits(from.base, room.unsigned, to.base, isUnsigned);
    case 'decimal': {
      const [formerSize = 10, formerScale = 0] = from.args;
      if (to.base !== 'decimal' || !keepsSign || size === null || scale === null) return false;
      return scale >= formerScale && size - scale >= formerSize - formerScale;
    }
    case 'float':
    case 'double':
      // With digits of its own it rounds; and a float is not the double that is written alike.
      return to.base === from.base && to.args.length === 0 && keepsSign;
    case 'bit':
      return to.base === 'bit' && (size ?? 1) >= (from.args[0] ?? 1);
    case 'date':
    case 'year':
    case 'json':
      return to.base === from.base;
    case 'time':
    case 'datetime':
    case 'timestamp':
      return to.base === from.base && (size ?? 0) >= (from.args[0] ?? 0);
    case 'enum':
    case 'set':
      return to.base === from.base && labelsFit(room, next) && charsetStays(room, next, tableCharset);
    case 'binary':
      // A longer one adds zero bytes to every value.
      return to.base === 'binary' && size === room.bytes;
    case 'varbinary':
    case 'blob':
      return bytesFit(room, to.base, size, 1, BINARY_SIZES, from.base === 'varbinary' ? 'varbinary' : null);
    case 'char':
    case 'varchar':
    case 'text': {
      // What a server strips from a CHAR or keeps of it depends on the type.
      const sized = from.base === 'text' ? null : from.base;
      const most = LETTER_BYTES[room.charset ?? ''];
      if (most === undefined || !charsetStays(room, next, tableCharset)) return false;
      return bytesFit(room, to.base, size, most, from.base === 'char' ? {} : TEXT_SIZES, sized);
    }
    default:
      return false;
  }
}

/**
 * Whether the values of a column that becomes wider keep their text. Partitions and the identity of a row go by the text of its key
 * (I-2): `1.50` and `1.5000` would be two rows, in two partitions, without an order between them.
 */
export function keepsText(former: Column, next: ColumnDefinition): boolean {
  const [from, to] = [parseSourceType(former.type), parseSourceType(next.type)];
  switch (from?.base) {
    case 'decimal':
      return (from.args[1] ?? 0) === (to?.args[1] ?? 0);
    case 'bit':
      return (from.args[0] ?? 1) === (to?.args[0] ?? 1);
    case 'time':
    case 'datetime':
    case 'timestamp':
      return (from.args[0] ?? 0) === (to?.args[0] ?? 0);
    default:
      return true;
  }
}

const INTEGER_BITS: Readonly<Record<string, number>> = {
  tinyint: 8,
  smallint: 16,
  mediumint: 24,
  int: 32,
  bigint: 64,
};

function integerFits(from: string, fromUnsigned: boolean, to: string, toUnsigned: boolean): boolean {
  const formerBits = INTEGER_BITS[from];
  const bits = INTEGER_BITS[to];
  if (formerBits === undefined || bits === undefined) return false;
  if (fromUnsigned === toUnsigned) return bits >= formerBits;
  return fromUnsigned && bits > formerBits;
}

const TEXT_SIZES: Readonly<Record<string, number>> = {
  tinytext: 255, text: 65_535, mediumtext: 16_777_215, longtext: 4_294_967_295,
}; // prettier-ignore
const BINARY_SIZES: Readonly<Record<string, number>> = {
  tinyblob: 255, blob: 65_535, mediumblob: 16_777_215, longblob: 4_294_967_295,
}; // prettier-ignore

/** Most bytes of a letter, by character set. */
const LETTER_BYTES: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    (
      'armscii8 ascii cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 dec8 geostd8 greek hebrew hp8 keybcs2 koi8r koi8u ' +
      'latin1 latin2 latin5 latin7 macce macroman swe7 tis620'
    )
      .split(' ')
      .map((charset) => [charset, 1]),
  ),
  big5: 2, cp932: 2, euckr: 2, gb2312: 2, gbk: 2, sjis: 2, ucs2: 2, eucjpms: 3, ujis: 3, utf8mb3: 3,
  gb18030: 4, utf16: 4, utf16le: 4, utf32: 4, utf8mb4: 4,
}; // prettier-ignore

/** Into a type with a length in letters of so many bytes, or into one of the big ones. */
function bytesFit(
  { bytes }: ColumnRoom,
  base: string,
  size: number | null,
  letterBytes: number,
  sizes: Readonly<Record<string, number>>,
  sized: string | null,
): boolean {
  if (bytes === null) return false;
  if (base === sized) return size !== null && size * letterBytes >= bytes;
  return (sizes[base] ?? -1) >= bytes;
}

/** New labels only behind the old ones: values are stored as numbers, and sets are told in the order of their labels. */
function labelsFit({ labels }: ColumnRoom, next: ColumnDefinition): boolean {
  const wanted = labelsOf(next.type);
  return labels !== null && labels.every((label, index) => label === wanted[index]);
}

function charsetStays(room: ColumnRoom, next: ColumnDefinition, tableCharset: string | null): boolean {
  return room.charset !== null && (next.charset ?? tableCharset) === room.charset;
}
