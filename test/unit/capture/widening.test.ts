import { describe, expect, it } from 'vitest';
import { classifyStatement } from '../../../src/capture/statement.ts';
import { isWidening } from '../../../src/capture/widening.ts';
import type { Column, ColumnRoom } from '../../../src/model/table.ts';

const ROOM: ColumnRoom = { nullable: true, unsigned: false, bytes: null, charset: null, labels: null };
const column = (type: string, room: Partial<ColumnRoom> = {}): Column => ({
  name: 'c',
  type,
  room: { ...ROOM, unsigned: type.endsWith('unsigned'), ...room },
});
const text = (type: string, letters: number, charset = 'utf8mb4', size = 4): Column =>
  column(type, { bytes: letters * size, charset });

/** Whether `MODIFY c <definition>` widens it; the table's character set is utf8mb4. */
function widens(former: Column, definition: string, tableCharset: string | null = 'utf8mb4'): boolean {
  const [table] = classifyStatement(`ALTER TABLE t MODIFY c ${definition}`, 'shop').tables;
  const does = table!.does;
  if (does.kind !== 'additive') throw new Error(`not understood: ${definition}`);
  const [step] = does.steps;
  if (step?.kind !== 'widen column') throw new Error('another step');
  return isWidening(former, step.column, tableCharset);
}

const enumOf = (...labels: string[]): Column => column('enum', { labels, charset: 'utf8mb4' });

const WIDER: readonly (readonly [Column, string])[] = [
  [column('int'), 'BIGINT'],
  [column('int'), 'INT(20)'],
  [column('tinyint'), 'BOOL'],
  [column('int unsigned'), 'BIGINT'],
  [column('int unsigned'), 'BIGINT UNSIGNED'],
  [column('int', { nullable: false }), 'INT NULL'],
  [column('decimal(10,2)'), 'DECIMAL(14,4)'],
  [column('decimal(10,2)', { unsigned: true }), 'DECIMAL(10,2)'],
  [column('float'), 'FLOAT'],
  [column('bit(3)'), 'BIT(9)'],
  [column('datetime(0)'), 'DATETIME(6)'],
  [column('time(3)'), 'TIME(4)'],
  [column('timestamp(0)'), 'TIMESTAMP(3) NULL'],
  [text('varchar', 20), 'VARCHAR(20)'],
  [text('varchar', 20), 'VARCHAR(300)'],
  [text('varchar', 20), 'TINYTEXT'],
  [text('varchar', 255), 'TEXT'],
  [text('varchar', 20, 'latin1', 1), 'VARCHAR(30) CHARACTER SET latin1'],
  [text('char', 20), 'CHAR(21)'],
  [column('text', { bytes: 65_535, charset: 'utf8mb4' }), 'MEDIUMTEXT'],
  [column('varbinary', { bytes: 20 }), 'VARBINARY(21)'],
  [column('varbinary', { bytes: 256 }), 'BLOB'],
  [column('blob', { bytes: 255 }), 'LONGBLOB'],
  [column('binary(4)', { bytes: 4 }), 'BINARY(4)'],
  [enumOf('a', "it's"), "ENUM('a','it''s','c')"],
  [column('set', { labels: ['a'], charset: 'utf8mb4' }), "SET('a','b')"],
  [column('json'), 'JSON'],
];

const NOT_WIDER: readonly (readonly [Column, string])[] = [
  [column('bigint'), 'INT'],
  [column('int'), 'BIGINT UNSIGNED'],
  [column('int unsigned'), 'INT'],
  [column('int'), 'INT NOT NULL'],
  [column('int'), 'VARCHAR(20)'],
  [column('int'), 'DECIMAL(20,0)'],
  [column('decimal(10,2)'), 'DECIMAL(10,3)'],
  [column('decimal(10,2)'), 'DECIMAL(12,1)'],
  [column('decimal(10,2)'), 'DECIMAL(10,2) UNSIGNED'],
  [column('float'), 'DOUBLE'],
  [column('float'), 'FLOAT(7,4)'],
  [column('double'), 'FLOAT'],
  [column('double'), 'DOUBLE UNSIGNED'],
  [column('bit(9)'), 'BIT(8)'],
  [column('datetime(6)'), 'DATETIME'],
  [column('datetime(0)'), 'TIMESTAMP(6) NULL'],
  [column('date'), 'DATETIME'],
  [text('varchar', 20), 'VARCHAR(19)'],
  [text('varchar', 64), 'TINYTEXT'],
  [text('varchar', 20), 'CHAR(20)'],
  [text('char', 20), 'VARCHAR(20)'],
  [text('char', 20), 'TEXT'],
  [text('varchar', 20), 'VARBINARY(80)'],
  [text('varchar', 20, 'latin1', 1), 'VARCHAR(30)'],
  [text('varchar', 20), 'VARCHAR(30) CHARACTER SET latin1'],
  [column('text', { bytes: 16_777_215, charset: 'utf8mb4' }), 'TEXT'],
  [column('text', { bytes: 255, charset: 'utf8mb4' }), 'VARCHAR(300)'],
  [column('varbinary', { bytes: 256 }), 'TINYBLOB'],
  [column('binary(4)', { bytes: 4 }), 'BINARY(5)'],
  [column('binary(4)', { bytes: 4 }), 'VARBINARY(5)'],
  [enumOf('a', 'b'), "ENUM('b','a','c')"],
  [enumOf('a', 'b'), "ENUM('a')"],
  [enumOf('a'), "SET('a')"],
  [column('json'), 'LONGTEXT'],
  [{ name: 'c', type: 'int' }, 'BIGINT'],
  [{ name: 'c', type: 'geometry', room: ROOM }, 'INT'],
];

describe('isWidening', () => {
  it.each(WIDER)('$type becomes %s with every value as it was', (former, definition) => {
    expect(widens(former, definition)).toBe(true);
  });

  it.each(NOT_WIDER)('$type becomes %s, which may change a value or its meaning', (former, definition) => {
    expect(widens(former, definition)).toBe(false);
  });

  it('takes no text as wider whose character set nobody told', () => {
    expect(widens(text('varchar', 20), 'VARCHAR(30)', null)).toBe(false);
    expect(widens(text('varchar', 20), 'VARCHAR(30) CHARACTER SET utf8mb4', null)).toBe(true);
    expect(widens(text('varchar', 20), 'VARCHAR(30) COLLATE utf8mb4_bin', null)).toBe(true);
    expect(widens(text('varchar', 20, 'klingon'), 'VARCHAR(30)', 'klingon')).toBe(false);
  });
});
