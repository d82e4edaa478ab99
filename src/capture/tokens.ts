/**
 * Takes the text of a statement apart. What it means depends on the session that wrote it (sql_mode) and on the server's version
 * (executable comments), which are not known here: `readings` gives every way in which a server may have read it. Pure.
 */

export interface Token {
  /** `double` is a string or, under ANSI_QUOTES, an identifier. `number` has a point or an exponent; `12` is a word. */
  readonly kind: 'word' | 'quoted' | 'double' | 'string' | 'number' | 'mark';
  /** As an identifier, a keyword or a mark; empty for a string. */
  readonly text: string;
  /** What a string or a number stands for. Never to be shown. */
  readonly value: string;
}

const TOKEN = patternOf(String.raw`(?:[^'\\]|\\.|'')*`, String.raw`(?:[^"\\]|\\.|"")*`);
/** Under NO_BACKSLASH_ESCAPES. */
const PLAIN_TOKEN = patternOf(`(?:[^']|'')*`, `(?:[^"]|"")*`);

function patternOf(single: string, double: string): RegExp {
  const word = String.raw`\p{L}\p{N}_$@`;
  return new RegExp(
    [
      String.raw`--(?=\s|$)[^\n]*|#[^\n]*|\/\*(?![!M])[\s\S]*?\*\/|\/\*M(?!!)[\s\S]*?\*\/`,
      String.raw`(?<open>\/\*M?!\d*)`,
      String.raw`(?<close>\*\/)`,
      '`(?<quoted>(?:[^`]|``)*)`',
      `'(?<string>${single})'`,
      `"(?<double>${double})"`,
      // Not what follows a name and a point: `crm.2020`.
      `(?<number>(?<![${word}\`"])(?:\\d*\\.\\d+(?:e[-+]?\\d+)?|\\d+e[-+]\\d+)(?![${word}]))`,
      `(?<word>[${word}]+)`,
      String.raw`(?<mark>\S)`,
    ].join('|'),
    'gisu',
  );
}

const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0', b: '\b', n: '\n', r: '\r', t: '\t', Z: '\x1a',
  '%': '\\%', _: '\\_',
}; // prettier-ignore

interface Scan {
  readonly tokens: readonly Token[];
  /** How many different versions its executable comments ask for. */
  readonly versions: number;
}

function scan(sql: string, escapes: boolean, executes: boolean): Scan {
  const found: Token[] = [];
  const versions = new Set<string>();
  const valueOf = (text: string, quote: string): string => {
    const whole = escapes ? new RegExp(`${quote}${quote}|\\\\(.)`, 'gs') : new RegExp(quote + quote, 'g');
    return text.replace(whole, (_, letter: unknown) =>
      typeof letter === 'string' ? (ESCAPES[letter] ?? letter) : quote,
    );
  };
  let depth = 0;
  for (const { groups = {} } of sql.matchAll(escapes ? TOKEN : PLAIN_TOKEN)) {
    const { open, close, quoted, string, double, number, word, mark } = groups;
    if (open !== undefined) {
      versions.add(open);
      depth += 1;
    } else if (close !== undefined) depth = Math.max(0, depth - 1);
    else if (depth > 0 && !executes) continue;
    else if (quoted !== undefined)
      found.push({ kind: 'quoted', text: quoted.replaceAll('``', '`'), value: '' });
    else if (word !== undefined) found.push({ kind: 'word', text: word, value: '' });
    else if (number !== undefined) found.push({ kind: 'number', text: '', value: number });
    else if (mark !== undefined) found.push({ kind: 'mark', text: mark, value: '' });
    else if (string !== undefined) found.push({ kind: 'string', text: '', value: valueOf(string, "'") });
    else if (double !== undefined)
      found.push({ kind: 'double', text: double.replaceAll('""', '"'), value: valueOf(double, '"') });
  }
  return { tokens: found, versions: versions.size };
}

interface Readings {
  /** Strings with escapes, executable comments as their contents: what nearly every server sees. */
  readonly usual: readonly Token[];
  /** What other sessions and servers may see instead. */
  readonly others: readonly (readonly Token[])[];
  /** Some may see yet another text: executable comments of several versions. */
  readonly isOpen: boolean;
}

export function readings(sql: string): Readings {
  const usual = scan(sql, true, true);
  const others: (readonly Token[])[] = [];
  const escapes = sql.includes('\\') ? [true, false] : [true];
  for (const escaped of escapes) {
    for (const executes of usual.versions > 0 ? [true, false] : [true]) {
      if (escaped && executes) continue;
      const { tokens } = scan(sql, escaped, executes);
      // A text that is empty or whose quotes do not close was not read so, or it would not be in the binlog.
      if (tokens.length > 0 && isWhole(tokens)) others.push(tokens);
    }
  }
  return { usual: usual.tokens, others, isOpen: usual.versions > 1 };
}

function isWhole(tokens: readonly Token[]): boolean {
  return tokens.every(({ kind, text }) => kind !== 'mark' || !['`', "'", '"'].includes(text));
}
