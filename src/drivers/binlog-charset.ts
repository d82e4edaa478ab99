/**
 * Text of every character set that a MySQL or MariaDB column can have, exactly as the server itself would convert it.
 * iconv-lite's tables differ from the server's in a few places; PATCHES holds those, found by comparing every code of every
 * set with real servers (the integration test does it again).
 */
import iconv from 'iconv-lite';
import { charsetOfCollation } from './binlog-collations.ts';
import { DecodeFault } from './binlog-cursor.ts';

/** Text of the bytes from `start` to `end`; throws a DecodeFault for bytes that are no text of the set. */
export type TextDecode = (buf: Buffer, start: number, end: number) => string;

const REPLACEMENT = '\ufffd';

/** iconv-lite's name of the table that comes nearest to the server's. */
const SINGLE_BYTE: Readonly<Record<string, string>> = {
  armscii8: 'armscii8',
  cp1250: 'cp1250',
  cp1251: 'cp1251',
  cp1256: 'cp1256',
  cp1257: 'cp1257',
  cp850: 'cp850',
  cp852: 'cp852',
  cp866: 'cp866',
  greek: 'iso-8859-7',
  hebrew: 'iso-8859-8',
  koi8r: 'koi8-r',
  koi8u: 'koi8-u',
  latin1: 'cp1252',
  latin2: 'iso-8859-2',
  latin5: 'iso-8859-9',
  latin7: 'iso-8859-13',
  macce: 'maccenteuro',
  macroman: 'macroman',
  tis620: 'tis620',
};

const MULTI_BYTE: Readonly<Record<string, string>> = {
  big5: 'big5',
  cp932: 'cp932',
  eucjpms: 'eucjp',
  euckr: 'euckr',
  gb18030: 'gb18030',
  gb2312: 'gb2312',
  gbk: 'gbk',
  sjis: 'shiftjis',
  ujis: 'eucjp',
};

/** Codes from the first one on, in the set's own order, and what the server makes of them; U+FFFD where it knows none. */
const PATCHES: Readonly<Record<string, readonly (readonly [first: number, text: string])[]>> = {
  armscii8: [[0xa1, '\u2741\u00a7'], [0xad, '\u055f'], [0xfe, "\u2019'"]],
  cp1256: [0x8a, 0x8f, 0x98, 0x9a, 0x9f, 0xaa, 0xc0, 0xff].map((code) => [code, REPLACEMENT]),
  cp866: [[0xfc, '\u207f\u00b2']],
  greek: [[0xa1, '\u02bd\u02bc'], [0xa4, '\ufffd\ufffd'], [0xaa, REPLACEMENT]],
  hebrew: [[0xaf, '\u203e']],
  koi8u: [[0x95, '\u2022']],
  latin1: [0x81, 0x8d, 0x8f, 0x90, 0x9d].map((code) => [code, String.fromCharCode(code)]),
  macroman: [[0xbd, '\u03a9'], [0xdb, '\u20ac'], [0xf0, '\uf8ff']],
  tis620: [[0x80, String.fromCharCode(...Array.from({ length: 32 }, (_, index) => 0x80 + index))]],
  gb18030: [[0xa3a0, '\ue5e5']],
  gb2312: [[0xa1a4, '\u30fb'], [0xa1aa, '\u2015']],
  sjis: [[0x815f, '\\\u301c\u2016'], [0x817c, '\u2212'], [0x8191, '\u00a2\u00a3'], [0x81ca, '\u00ac']],
  ujis: [[0xa1c0, '\\\u301c\u2016'], [0xa1dd, '\u2212'], [0xa1f1, '\u00a2\u00a3'], [0xa2cc, '\u00ac'], [0x8fa2b7, '~']],
  eucjpms: [
    [0x8fa2c3, '\uffe4'],
    [
      0x8ff3f3,
      'ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ＇＂㈱№℡炻仼僴凬匇匤\ufa0e咊坙\ufa0f\ufa10增寬峵嵓\ufa11德悅愠敎昻晥\ufa12\uf929栁\ufa13\ufa14橫櫢淸淲瀨\ufa15\ufa16甁皂皞\ufa17礰\ufa18' +
        '\ufa19\ufa1a\ufa1b竧\ufa1c\ufa1d綠緖\ufa1e荢\ufa1f薰\ufa20\ufa21蠇\ufa22譿賴赶\ufa23\ufa24\ufa25郞\ufa26鄕\ufa27\ufa28閒\uf9dc\ufa29霻靍靑\ufa2a\ufa2b\ufa2c馞髙魲\ufa2d黑',
    ],
  ],
  big5: [
    [0xa145, '\u2022'], [0xa14e, '\uff64'], [0xa1c2, '\u203e'], [0xa1e3, '\u223c'], [0xa1f2, '\u2641\u2609'],
    [0xa241, '／＼'], [0xa244, '\u00a5'], [0xa246, '\u00a2\u00a3'],
    [
      0xc6a1,
      'ヾゝゞ々ぁあぃいぅうぇえぉおかがきぎくぐけげこごさざしじすずせぜそぞただちぢっつづてでとどなにぬねのはばぱひびぴふぶぷへべぺほぼぽまみむめもゃやゅゆょよらりるれろゎわゐゑをん' +
        'ァアィイゥウェエォオカガキギクグケゲコゴサザシジスズセゼソゾタダチヂッツヅテデトドナニヌネノハバパヒビピフブプヘベペホボポマミムメモャヤュユョヨラリルレロヮワヰヱヲンヴヵヶ' +
        'ДЕЁЖЗИЙКЛМУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя①②③④⑤⑥⑦⑧⑨⑩⑴⑵⑶⑷⑸⑹⑺⑻⑼⑽',
    ],
  ],
}; // prettier-ignore

const decoders = new Map<string, TextDecode | undefined>();

/** How to read text of a collation; undefined for sets that are unknown or have no exact table here. */
export function textDecoder(collation: number): TextDecode | undefined {
  const charset = charsetOfCollation(collation);
  if (charset === undefined) return undefined;
  if (!decoders.has(charset)) decoders.set(charset, buildDecoder(charset));
  return decoders.get(charset);
}

function buildDecoder(charset: string): TextDecode | undefined {
  switch (charset) {
    case 'utf8mb4':
    case 'utf8mb3':
      return decodeUtf8;
    case 'ascii':
      return decodeAscii;
    case 'ucs2':
    case 'utf16':
      return decodeUtf16Be;
    case 'utf16le':
      return decodeUtf16Le;
    case 'utf32':
      return decodeUtf32;
  }
  const single = SINGLE_BYTE[charset];
  if (single !== undefined) return singleByteDecoder(charset, single);
  const multi = MULTI_BYTE[charset];
  return multi === undefined ? undefined : multiByteDecoder(charset, multi);
}

function decodeUtf8(buf: Buffer, start: number, end: number): string {
  const text = buf.toString('utf8', start, end);
  // Free for text of one byte a character: V8 stores U+FFFD in two.
  if (text.includes(REPLACEMENT) && buf.compare(Buffer.from(text), 0, undefined, start, end) !== 0) {
    throw new DecodeFault('bytes that are not UTF-8');
  }
  return text;
}

function decodeAscii(buf: Buffer, start: number, end: number): string {
  const text = buf.toString('latin1', start, end);
  if (!isAscii(text)) throw new DecodeFault('bytes that are not ASCII');
  return text;
}

function decodeUtf16Le(buf: Buffer, start: number, end: number): string {
  if ((end - start) % 2 !== 0) throw new DecodeFault('bytes that are not UTF-16');
  return buf.toString('utf16le', start, end);
}

function decodeUtf16Be(buf: Buffer, start: number, end: number): string {
  if ((end - start) % 2 !== 0) throw new DecodeFault('bytes that are not UTF-16');
  return Buffer.from(buf.subarray(start, end)).swap16().toString('utf16le');
}

function decodeUtf32(buf: Buffer, start: number, end: number): string {
  if ((end - start) % 4 !== 0) throw new DecodeFault('bytes that are not UTF-32');
  let text = '';
  for (let at = start; at < end; at += 4) {
    const code = buf.readUInt32BE(at);
    if (code > 0x10ffff) throw new DecodeFault('bytes that are not UTF-32');
    text += String.fromCodePoint(code);
  }
  return text;
}

function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text);
}

function singleByteDecoder(charset: string, encoding: string): TextDecode {
  const table = Array.from(
    iconv.decode(Buffer.from(Array.from({ length: 256 }, (_, code) => code)), encoding),
  );
  for (const [first, text] of PATCHES[charset] ?? []) {
    for (let index = 0; index < text.length; index += 1) table[first + index] = text.charAt(index);
  }
  return (buf, start, end) => {
    const plain = buf.toString('latin1', start, end);
    if (isAscii(plain)) return plain;
    let text = '';
    for (let at = start; at < end; at += 1) text += table[buf.readUInt8(at)] ?? REPLACEMENT;
    if (text.includes(REPLACEMENT)) throw new DecodeFault(`bytes that are no ${charset} text`);
    return text;
  };
}

/** Reads letter by letter: a patch may concern a code whose bytes also occur across two letters. */
function multiByteDecoder(charset: string, encoding: string): TextDecode {
  const letters = new Map<number, string>();
  for (const [first, text] of PATCHES[charset] ?? []) {
    let code = first;
    for (const letter of text) {
      letters.set(code, letter);
      code = nextCode(charset, code);
    }
  }
  const letterOf = (buf: Buffer, at: number, length: number): string => {
    const code = buf.readUIntBE(at, length);
    let letter = letters.get(code);
    if (letter === undefined) {
      letter = privateUse(charset, code) ?? oneLetter(iconv.decode(buf.subarray(at, at + length), encoding));
      letters.set(code, letter);
    }
    return letter;
  };
  return (buf, start, end) => {
    const plain = buf.toString('latin1', start, end);
    if (isAscii(plain)) return plain;
    let text = '';
    for (let at = start; at < end;) {
      const length = letterBytes(charset, buf, at);
      if (at + length > end) throw new DecodeFault(`bytes that are no ${charset} text`);
      text +=
        length === 1 && buf.readUInt8(at) < 0x80
          ? String.fromCharCode(buf.readUInt8(at))
          : letterOf(buf, at, length);
      at += length;
    }
    if (text.includes(REPLACEMENT)) throw new DecodeFault(`bytes that are no ${charset} text`);
    return text;
  };
}

/** iconv-lite reads a code that is none as several letters; that it is none is what counts. */
function oneLetter(text: string): string {
  return text.length === 1 || (text.length === 2 && (text.codePointAt(0) ?? 0) > 0xffff) ? text : REPLACEMENT;
}

function letterBytes(charset: string, buf: Buffer, at: number): number {
  const lead = buf.readUInt8(at);
  if (lead < 0x80) return 1;
  switch (charset) {
    case 'sjis':
    case 'cp932':
      return lead === 0x80 || lead === 0xa0 || (lead > 0xa0 && lead < 0xe0) || lead > 0xfc ? 1 : 2;
    case 'ujis':
    case 'eucjpms':
      return lead === 0x8f ? 3 : 2;
    case 'gb18030': {
      const trail = at + 1 < buf.length ? buf.readUInt8(at + 1) : 0;
      return trail >= 0x30 && trail <= 0x39 ? 4 : 2;
    }
    default:
      return 2;
  }
}

/** The codes that the Japanese sets leave to users lie in rows that Unicode's private area continues. */
function privateUse(charset: string, code: number): string | undefined {
  const [lead, trail] = [(code >> 8) & 0xff, code & 0xff];
  if (charset === 'cp932') {
    if (code > 0xffff || lead < 0xf0 || lead > 0xf9 || trail < 0x40 || trail === 0x7f || trail > 0xfc)
      return undefined;
    return String.fromCharCode(0xe000 + (lead - 0xf0) * 188 + trail - (trail > 0x7f ? 0x41 : 0x40));
  }
  if (charset === 'ujis' || charset === 'eucjpms') {
    if (lead < 0xf5 || lead > 0xfe || trail < 0xa1 || trail > 0xfe) return undefined;
    return String.fromCharCode((code > 0xffff ? 0xe3ac : 0xe000) + (lead - 0xf5) * 94 + trail - 0xa1);
  }
  return undefined;
}

/** The code after this one in the set's own order, which skips what can't be a last byte. */
function nextCode(charset: string, code: number): number {
  const trail = code & 0xff;
  const row = code - trail;
  if (charset === 'big5') return trail === 0x7e ? row + 0xa1 : trail === 0xfe ? row + 0x140 : code + 1;
  return trail === 0xfe && code > 0xff ? row + 0x1a1 : code + 1;
}
