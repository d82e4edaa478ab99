import { describe, expect, test } from 'vitest';
import { textDecoder } from '../../src/drivers/binlog-charset.ts';
import { charsetOfCollation } from '../../src/drivers/binlog-collations.ts';
import { DecodeFault } from '../../src/drivers/binlog-cursor.ts';
import { testServers } from '../support/servers.ts';
import { connectTo, rowsOf } from './binlog-fixture.ts';

/** Sets that are refused: no exact table is at hand and nobody uses them. */
const REFUSED = new Set(['dec8', 'geostd8', 'hp8', 'keybcs2', 'swe7', 'binary']);

interface Code {
  readonly hex: string;
  /** What the server makes of the code, UTF-16 in hex; undefined where it knows no letter. */
  readonly utf16: string | undefined;
}

/** Every byte, every pair led by a byte past ASCII, and the triples that EUC has. */
const CODES = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 65535),
  code (b) AS (
    SELECT unhex(lpad(hex(i), 2, '0')) FROM n WHERE i < 256
    UNION ALL SELECT unhex(lpad(hex(i), 4, '0')) FROM n WHERE i >= 32768
    UNION ALL SELECT unhex(concat('8F', hex(i))) FROM n WHERE i >= 41377)`;

async function codesOf(connection: Awaited<ReturnType<typeof connectTo>>, charset: string): Promise<Code[]> {
  const rows = await rowsOf(
    connection,
    `${CODES} SELECT hex(b) AS code, hex(convert(convert(b USING ${charset}) USING utf16)) AS utf16,
       char_length(convert(b USING ${charset})) AS letters FROM code WHERE hex(convert(b USING ${charset})) = hex(b)`,
  );
  return rows.flatMap(({ code, utf16, letters }) => {
    // Two letters in one code are two codes; '?' and U+FFFD stand for what the server cannot say.
    if (Number(letters) !== 1 || typeof utf16 !== 'string' || utf16 === '') return [];
    const unknown = utf16 === 'FFFD' || (utf16 === '003F' && code !== '3F');
    return [{ hex: String(code), utf16: unknown ? undefined : utf16 }];
  });
}

function decoded(collation: number, hex: string): string | undefined {
  const bytes = Buffer.from(hex, 'hex');
  try {
    const text = textDecoder(collation)?.(bytes, 0, bytes.length);
    return text === undefined
      ? undefined
      : Buffer.from(text, 'utf16le').swap16().toString('hex').toUpperCase();
  } catch (error) {
    if (error instanceof DecodeFault) return undefined;
    throw error;
  }
}

describe.each(['src', 'mariadb'] as const)('on %s', (name) => {
  test('every collation of the server belongs to the character set that the driver takes it for', async () => {
    const connection = await connectTo(testServers()[name]);
    try {
      const rows = await rowsOf(
        connection,
        name === 'src'
          ? 'SELECT id, character_set_name AS charset FROM information_schema.collations'
          : 'SELECT id, character_set_name AS charset FROM information_schema.collation_character_set_applicability WHERE id > 0',
      );
      expect(rows.length).toBeGreaterThan(200);
      const theirs = rows.map(
        ({ id, charset }) => `${String(id)} ${charset === 'utf8' ? 'utf8mb3' : String(charset)}`,
      );
      expect(rows.map(({ id }) => `${String(id)} ${charsetOfCollation(Number(id))}`)).toEqual(theirs);
    } finally {
      await connection.end();
    }
  });

  test('every code of every character set is read as the server reads it', async () => {
    const connection = await connectTo(testServers()[name]);
    try {
      await connection.query(
        name === 'src' ? 'SET cte_max_recursion_depth = 100000' : 'SET max_recursive_iterations = 100000',
      );
      await connection.query("SET sql_mode = ''");
      const charsets = await rowsOf(
        connection,
        'SELECT s.character_set_name AS charset, c.id FROM information_schema.character_sets s JOIN information_schema.collations c ON c.collation_name = s.default_collate_name',
      );
      expect(charsets.length).toBeGreaterThan(30);
      let codes = 0;
      for (const { charset, id } of charsets) {
        const [set, collation] = [String(charset), Number(id)];
        expect(textDecoder(collation) === undefined, set).toBe(REFUSED.has(set));
        if (REFUSED.has(set) || /^(utf|ucs2)/.test(set)) continue;
        const differences = [];
        for (const { hex, utf16 } of await codesOf(connection, set)) {
          codes += 1;
          // Where the server knows no letter but iconv does, its letter is better than none.
          if (utf16 !== undefined && decoded(collation, hex) !== utf16) differences.push(`${hex} ${utf16}`);
        }
        expect(differences, set).toEqual([]);
      }
      expect(codes).toBeGreaterThan(100_000);
    } finally {
      await connection.end();
    }
  });
});
