import { describe, expect, it } from 'vitest';
import type { TableStatement } from '../../../src/capture/assembled.ts';
import { decide } from '../../../src/capture/schema-policy.ts';
import { classifyStatement } from '../../../src/capture/statement.ts';
import type { Column, Table } from '../../../src/model/table.ts';
import { partitioner } from '../../../src/wire/partition.ts';

const column = (name: string, type: string, bytes: number | null = null): Column => ({
  name,
  type,
  room: { nullable: false, unsigned: false, bytes, charset: bytes === null ? null : 'utf8mb4', labels: null },
});
const shop = (type: string, bytes: number | null, isKey: boolean): Table => ({
  schema: 'shop',
  name: 'prices',
  columns: [column('id', 'int'), column('c', type, bytes)],
  key: isKey ? [0, 1] : [0],
});

function decision(former: Table, definition: string): string {
  const sql = `ALTER TABLE prices MODIFY c ${definition} NOT NULL`;
  const statement: TableStatement = {
    schema: 'shop',
    table: 'prices',
    verb: 'ALTER TABLE',
    effect: classifyStatement(sql, 'shop').tables[0]!.does,
    former,
    name: 'binlog.000001:10',
    gtid: null,
    isAccepted: false,
    hasPassed: false,
    timeMs: 1,
  };
  return decide(statement, { ddl: 'apply', truncate: 'apply' }).kind;
}

describe('a statement that must not pass', () => {
  const at = (state: Pick<TableStatement, 'isAccepted' | 'hasPassed'>): string => {
    const effect = { kind: 'other', why: 'changes the key' } as const;
    const named = {
      schema: 'shop',
      table: 'prices',
      verb: 'ALTER TABLE',
      name: 'b.1:10',
      gtid: null,
      timeMs: 1,
    };
    return decide({ ...named, ...state, effect, former: undefined }, { ddl: 'apply', truncate: 'apply' })
      .kind;
  };

  it('holds its table also when it was acknowledged before it was read: rows that precede it may be on their way', () => {
    expect(at({ isAccepted: true, hasPassed: false })).toBe('hold');
    expect(at({ isAccepted: true, hasPassed: true })).toBe('pass');
  });
});

describe('a wider column of a key', () => {
  it.each([
    ['decimal(10,2)', 'DECIMAL(12,4)', '1.50', '1.5000'],
    ['datetime', 'DATETIME(3)', '2020-01-31 10:00:00', '2020-01-31 10:00:00.000'],
    ['timestamp(3)', 'TIMESTAMP(6)', '2020-01-31 10:00:00.000', '2020-01-31 10:00:00.000000'],
    ['time', 'TIME(1)', '10:00:00', '10:00:00.0'],
    ['bit(3)', 'BIT(9)', '101', '000000101'],
  ])(
    '%s as %s waits: one row would go by two texts, to two partitions (I-2)',
    (type, definition, old, now) => {
      const partitionOf = partitioner(shop(type, null, true), 64);
      expect(partitionOf([1, old])).not.toBe(partitionOf([1, now]));
      expect(decision(shop(type, null, true), definition)).toBe('hold');
      expect(decision(shop(type, null, false), definition)).toBe('add');
    },
  );

  it.each([
    ['int', 'BIGINT', null],
    ['decimal(10,2)', 'DECIMAL(12,2)', null],
    ['varchar(10)', 'VARCHAR(20)', 40],
  ])('%s as %s goes on: its values keep their texts', (type, definition, bytes) => {
    expect(decision(shop(type, bytes, true), definition)).toBe('add');
  });
});
