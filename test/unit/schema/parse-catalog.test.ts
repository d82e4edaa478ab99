import { describe, expect, it } from 'vitest';
import { labelsOf } from '../../../src/schema/catalog.ts';
import { parseTable, withoutWidth } from '../../../src/schema/parse-catalog.ts';
import type { CatalogRow } from '../../../src/schema/parse-catalog.ts';

const column = (flavour: 'mysql' | 'mariadb', row: CatalogRow) =>
  parseTable(flavour, {
    table: {},
    columns: [{ name: 'v', column_type: 'varchar(9)', nullable: 'YES', ...row }],
    indexes: [],
    checks: [],
    createTable: '',
  }).columns[0]!;

describe('a column of the catalog', () => {
  it.each([
    ['mysql', 'abc', '', { kind: 'literal', text: 'abc' }],
    ['mysql', "'abc'", '', { kind: 'literal', text: "'abc'" }],
    ['mysql', 'current_timestamp', '', { kind: 'literal', text: 'current_timestamp' }],
    ['mysql', String.raw`concat(_utf8mb4\'a\',_utf8mb4\'\\\'\')`, 'DEFAULT_GENERATED', { kind: 'expression', sql: String.raw`concat(_utf8mb4'a',_utf8mb4'\'')` }],
    ['mysql', null, '', null],
    ['mariadb', 'NULL', '', null],
    ['mariadb', String.raw`'it\'s \\ ''so'''`, '', { kind: 'literal', text: String.raw`it's \ 'so'` }],
    ['mariadb', '-1.50', '', { kind: 'literal', text: '-1.50' }],
    ['mariadb', 'uuid()', '', { kind: 'expression', sql: 'uuid()' }],
    ['mariadb', "b'0101'", '', { kind: 'literal', text: '0101' }],
  ] as const)('at %s with the default %s %s', (flavour, text, extra, expected) => {
    expect(column(flavour, { column_default: text, extra }).default).toEqual(expected);
  }); // prettier-ignore

  it.each([
    ['CURRENT_TIMESTAMP', 0],
    ['CURRENT_TIMESTAMP(6)', 6],
    ['current_timestamp()', 0],
    ['current_timestamp(3)', 3],
  ])('with the default %s has the time', (text, digits) => {
    const row = {
      column_type: 'datetime',
      column_default: text,
      extra: 'DEFAULT_GENERATED on update CURRENT_TIMESTAMP',
    };
    expect(column('mysql', row)).toMatchObject({
      default: { kind: 'now', digits },
      onUpdateNow: true,
      generated: null,
    });
  });

  it('is generated, invisible or numbered', () => {
    const row = { expression: String.raw`concat(\'a\')`, extra: 'STORED GENERATED INVISIBLE' };
    expect(column('mysql', row)).toMatchObject({
      generated: { sql: "concat('a')", stored: true },
      invisible: true,
    });
    expect(column('mariadb', { expression: "'a'", extra: 'VIRTUAL GENERATED' }).generated).toEqual({
      sql: "'a'",
      stored: false,
    });
    expect(column('mysql', { extra: 'auto_increment' }).autoIncrement).toBe(true);
  });

  it.each([
    ['int(11) unsigned', 'int unsigned'],
    ['bigint(20) unsigned zerofill', 'bigint unsigned'],
    ['tinyint(1)', 'tinyint(1)'],
    ['tinyint(4)', 'tinyint'],
    ['year(4)', 'year'],
    ['varchar(20)', 'varchar(20)'],
    ['text /*M!100301 COMPRESSED*/', 'text'],
    ["enum('int(11)')", "enum('int(11)')"],
  ])('of type %s is %s', (type, expected) => {
    expect(withoutWidth(type)).toBe(expected);
  });

  it('has labels with quotes and commas', () => {
    expect(labelsOf(String.raw`enum('a','b,c','it''s','','\\')`)).toEqual(['a', 'b,c', "it's", '', '\\']);
  });
});

it('reads foreign keys and partitions as they are shown', () => {
  const createTable = [
    'CREATE TABLE `a` (',
    '  `id` int NOT NULL,',
    '  CONSTRAINT `f``k` FOREIGN KEY (`id`) REFERENCES `b` (`id`) ON DELETE CASCADE,',
    '  CONSTRAINT `g` FOREIGN KEY (`x`) REFERENCES `c` (`id`)',
    ') ENGINE=InnoDB',
    '/*!50100 PARTITION BY RANGE (`id`)',
    '(PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB) */',
  ].join('\n');
  const table = parseTable('mysql', {
    table: { options: 'row_format=DYNAMIC' },
    columns: [],
    indexes: [],
    checks: [],
    createTable,
  });
  expect(table).toMatchObject({
    foreignKeys: [
      { name: 'f`k', text: 'FOREIGN KEY (`id`) REFERENCES `b` (`id`) ON DELETE CASCADE' },
      { name: 'g', text: 'FOREIGN KEY (`x`) REFERENCES `c` (`id`)' },
    ],
    partitioned: 'RANGE',
    rowFormat: 'DYNAMIC',
  });
});
