import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boundaryKeySql, chunkSql, extraKeys, lastKeySql } from '../../../src/capture/snapshot-sql.ts';
import { describeSnapshotTable } from '../../../src/capture/snapshot-table.ts';
import type { SnapshotTable } from '../../../src/capture/snapshot-table.ts';
import { RowferryError } from '../../../src/errors.ts';

type ColumnRow = readonly [name: string, columnType: string, more?: Readonly<Record<string, string>>];

const COLLATIONS = [
  ['utf8mb4_0900_ai_ci', '255'],
  ['utf8mb4_bin', '46'],
  ['gbk_chinese_ci', '28'],
] as const;

/** An index that a declared key may rest on. */
interface UniqueIndex {
  readonly name: string;
  readonly parts: readonly string[];
  readonly more?: Readonly<Record<string, string>>;
}

/**
 * A table by the catalog's answers; `key` names columns of its primary key, with a minus where the index goes down, and
 * `declared` those of the key that it has instead.
 */
function describeTable(
  columns: readonly ColumnRow[],
  key: readonly string[],
  unique: readonly UniqueIndex[] = [],
  declared?: readonly string[],
): Promise<SnapshotTable> {
  return describeSnapshotTable(
    async (sql) => {
      if (sql.includes('information_schema.TABLES')) {
        return [{ schema: 'shop`s', name: 'orders', kind: 'BASE TABLE', estimate: '12' }];
      }
      if (sql.includes('STATISTICS')) {
        const primary = { name: 'PRIMARY', parts: key };
        return [primary, ...unique].flatMap(({ name: index_name, parts, more = {} }: UniqueIndex) =>
          parts.map((name) => ({
            index_name,
            name: name.replace('-', ''),
            prefix: null,
            direction: name.startsWith('-') ? 'D' : 'A',
            type: 'BTREE',
            non_unique: '0',
            ...more,
          })),
        );
      }
      if (sql.includes('information_schema.COLUMNS')) {
        return columns.map(([name, columnType, more = {}]) => ({
          name,
          data_type: /^[a-z]+/.exec(columnType)?.[0] ?? '',
          column_type: columnType,
          collation: null,
          ...more,
        }));
      }
      if (!sql.endsWith('COLLATIONS')) return [];
      return COLLATIONS.map(([COLLATION_NAME, ID]) => ({ COLLATION_NAME, ID }));
    },
    'shop`s',
    'orders',
    declared,
  );
}

const FROM = 'FROM `shop``s`.`orders` FORCE INDEX (`PRIMARY`)';
const UTF8 = { collation: 'utf8mb4_0900_ai_ci' };
const GBK = { collation: 'gbk_chinese_ci' };

const one = await describeTable([['id', 'bigint unsigned'], ['v', 'float']], ['id']); // prettier-ignore
const three = await describeTable(
  [['v', 'json'], ['c', 'varbinary(9)'], ['a', 'int'], ['b', 'varchar(9)', UTF8]],
  ['a', 'b', 'c'],
); // prettier-ignore
const down = await describeTable([['a', 'int'], ['b', 'int']], ['-a', 'b']); // prettier-ignore
const gbk = await describeTable([['n', 'varchar(9)', GBK], ['id', 'int']], ['id', 'n']); // prettier-ignore

describe('the statements of a snapshot', () => {
  test('ask for the last key by the index', () => {
    expect(lastKeySql(one)).toBe(`SELECT \`id\` ${FROM} ORDER BY \`id\` DESC LIMIT 1`);
    expect(lastKeySql(down)).toBe(`SELECT \`a\`, \`b\` ${FROM} ORDER BY \`a\`, \`b\` DESC LIMIT 1`);
  });

  test('find where the next chunk ends', () => {
    expect(boundaryKeySql(one, { after: null, to: ['9'] }, 1)).toBe(
      `SELECT \`id\` ${FROM} WHERE \`id\` <= 9 ORDER BY \`id\` LIMIT 1 OFFSET 0`,
    );
    expect(boundaryKeySql(one, { after: ['3'], to: ['18446744073709551615'] }, 1000)).toBe(
      `SELECT \`id\` ${FROM} WHERE \`id\` > 3 AND \`id\` <= 18446744073709551615 ORDER BY \`id\` LIMIT 1 OFFSET 999`,
    );
    for (const rows of [0, -1, 1.5, Number.NaN]) {
      expect(() => boundaryKeySql(one, { after: null, to: ['9'] }, rows)).toThrow(RowferryError);
    }
  });

  test('compare keys of several columns in a form that index ranges come of', () => {
    const range = { after: [1, "it's", 'AAE='], to: [2, 'z', ''] };
    expect(chunkSql(three, range)).toBe(
      `SELECT \`v\`, \`c\`, \`a\`, \`b\` ${FROM} WHERE ` +
        "`a` >= 1 AND (`a` > 1 OR (`a` = 1 AND `b` > 'it''s') OR (`a` = 1 AND `b` = 'it''s' AND `c` > x'0001')) AND " +
        "`a` <= 2 AND (`a` < 2 OR (`a` = 2 AND `b` < 'z') OR (`a` = 2 AND `b` = 'z' AND `c` <= x''))" +
        ' ORDER BY `a`, `b`, `c`',
    );
  });

  test('name the beginning that both ends share only once', () => {
    expect(chunkSql(three, { after: [1, 'a', 'AA=='], to: [1, 'b', 'AA=='] })).toContain(
      "WHERE `a` = 1 AND `b` >= 'a' AND (`b` > 'a' OR (`b` = 'a' AND `c` > x'00')) AND " +
        "`b` <= 'b' AND (`b` < 'b' OR (`b` = 'b' AND `c` <= x'00')) ORDER",
    );
    expect(chunkSql(three, { after: [1, 'a', 'AA=='], to: [1, 'a', 'AQ=='] })).toContain(
      "WHERE `a` = 1 AND `b` = 'a' AND `c` > x'00' AND `c` <= x'01' ORDER",
    );
    expect(chunkSql(one, { after: ['5'], to: ['5'] })).toContain('WHERE `id` = 5 AND FALSE ORDER');
  });

  test('follow an index that goes down', () => {
    expect(chunkSql(down, { after: [9, 1], to: [3, 4] })).toContain(
      'WHERE `a` <= 9 AND (`a` < 9 OR (`a` = 9 AND `b` > 1)) AND `a` >= 3 AND (`a` > 3 OR (`a` = 3 AND `b` <= 4)) ORDER BY `a` DESC, `b`',
    );
  });

  test('keep the filter of an operator apart from their own conditions', () => {
    expect(chunkSql(one, { after: null, to: ['9'] }, 'v > 1 OR v < 0 -- odd')).toContain(
      'WHERE `id` <= 9 AND (v > 1 OR v < 0 -- odd\n) ORDER BY',
    );
  });

  test('take keys whose letters may have two codes by their bytes', () => {
    expect(extraKeys(gbk).map(({ name }) => name)).toEqual(['`n`']);
    expect(extraKeys(three)).toEqual([]);
    expect(lastKeySql(gbk)).toContain('SELECT `id`, HEX(`n`) FROM');
    expect(chunkSql(gbk, { after: null, to: [1, 'D6D0'] })).toBe(
      `SELECT CAST(\`n\` AS BINARY), \`id\`, HEX(\`n\`) ${FROM} WHERE \`id\` <= 1 AND (\`id\` < 1 OR (\`id\` = 1 AND \`n\` <= _gbk x'D6D0')) ORDER BY \`id\`, \`n\``,
    );
  });

  test('refuse a saved key that is none of the table', () => {
    for (const to of [[], [1], [1, 'D6D0', 3], [1, "D6' OR 1"], [1, 'd6'], [1, null], [null, 'D6'], ['1 OR 1', 'D6']]) {
      expect(() => chunkSql(gbk, { after: null, to }), JSON.stringify(to)).toThrow(RowferryError);
      expect(() => chunkSql(gbk, { after: to, to: [9, ''] }), JSON.stringify(to)).toThrow(RowferryError);
    }
  }); // prettier-ignore
});

describe('a range', () => {
  type Pair = readonly [number, number];
  const pair = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }));

  const conditionOf = (sql: string): string => / WHERE (.*) ORDER BY /s.exec(sql)?.[1] ?? '';

  test.each([
    ['up', ['a', 'b'], [1, 1]],
    ['down', ['-a', '-b'], [-1, -1]],
    ['both ways', ['a', '-b'], [1, -1]],
  ] as const)('holds exactly the keys between its ends in an index that goes %s', async (_, key, signs) => {
    const table = await describeTable([['a', 'int'], ['b', 'int']], key); // prettier-ignore
    const compare = (x: Pair, y: Pair): number => (x[0] - y[0]) * signs[0] || (x[1] - y[1]) * signs[1];
    fc.assert(
      fc.property(pair, pair, pair, fc.boolean(), (row, after, to, fromStart) => {
        const sql = chunkSql(table, { after: fromStart ? null : after, to });
        const expected = (fromStart || compare(row, after) > 0) && compare(row, to) <= 0;
        return holds(conditionOf(sql), row) === expected;
      }),
      { numRuns: 2000 },
    );
  });
});

/** Whether a condition of AND, OR, brackets and comparisons of `a` and `b` with numbers holds for their values. */
function holds(condition: string, row: readonly [a: number, b: number]): boolean {
  const either = splitOutside(condition, ' OR ');
  if (either.length > 1) return either.some((part) => holds(part, row));
  const all = splitOutside(condition, ' AND ');
  if (all.length > 1) return all.every((part) => holds(part, row));
  if (condition.startsWith('(')) return holds(condition.slice(1, -1), row);
  if (condition === 'FALSE') return false;
  const [, name, operator, text] = /^`([ab])` ([<>]=?|=) (\d+)$/.exec(condition) ?? [];
  if (name === undefined || operator === undefined) throw new Error(`no condition: ${condition}`);
  const difference = (name === 'a' ? row[0] : row[1]) - Number(text);
  if (difference === 0) return operator.endsWith('=');
  return operator.startsWith(difference > 0 ? '>' : '<');
}

/** The parts between the separators that stand outside of brackets. */
function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '(') depth += 1;
    if (text[at] === ')') depth -= 1;
    if (depth > 0 || !text.startsWith(separator, at)) continue;
    parts.push(text.slice(start, at));
    start = at + separator.length;
  }
  return [...parts, text.slice(start)];
}

describe('a declared key', () => {
  const columns: readonly ColumnRow[] = [['a', 'int'], ['b', 'int'], ['c', 'int']]; // prettier-ignore
  const by = (parts: readonly string[], more: UniqueIndex['more'] = {}): UniqueIndex => {
    return { name: 'u`1', parts, more };
  };

  test('names rows in its own order, and is read in the order of its index', async () => {
    const other = { name: 'wider', parts: ['a', 'b', 'c'] };
    const found = await describeTable(columns, [], [other, by(['-b', 'a'])], ['A', 'b']);
    expect(found.table.key).toEqual([0, 1]);
    expect(found.key.map(({ column }) => column)).toEqual([1, 0]);
    expect(lastKeySql(found)).toBe(
      'SELECT `b`, `a` FROM `shop``s`.`orders` FORCE INDEX (`u``1`) ORDER BY `b`, `a` DESC LIMIT 1',
    );
  });

  test('takes the place of a primary key', async () => {
    const found = await describeTable(columns, ['c'], [by(['a', 'b'])], ['a', 'b']);
    expect([found.table.key, found.index]).toEqual([[0, 1], 'u`1']);
    const other = await describeTable(columns, ['a', 'b'], [by(['c'])], ['c']);
    expect(found.keyForm).not.toBe(other.keyForm);
  });

  test.each<[string, UniqueIndex, string]>([
    ['has no unique index', by(['a', 'b'], { non_unique: '1' }), 'no unique key of exactly the columns'],
    ['has one over other columns', by(['a', 'c']), 'no unique key of exactly the columns'],
    ['has one over fewer columns', by(['a']), 'no unique key of exactly the columns'],
    ['has one over a prefix', by(['a', 'b'], { prefix: '4' }), 'no unique key of exactly the columns'],
    ['has one that MySQL hides', by(['a', 'b'], { visible: 'NO' }), 'is hidden from statements'],
    ['has one that MariaDB ignores', by(['a', 'b'], { ignored: 'YES' }), 'is hidden from statements'],
  ])('is refused where the table %s', async (_, index, why) => {
    const describing = describeTable(columns, [], [index], ['a', 'b']);
    await expect(describing).rejects.toMatchObject({ code: 'ROWFERRY_SOURCE_UNSUPPORTED' });
    await expect(describing).rejects.toThrow(why);
  });
});
