import { describe, expect, it } from 'vitest';
import type { CapturedTables } from '../../../src/capture/captured-statements.ts';
import { touchedBy } from '../../../src/capture/captured-statements.ts';
import { TableFilter } from '../../../src/model/table-filter.ts';

function named(sql: string, patterns: readonly string[], tableNames: CapturedTables['tableNames']): string[] {
  const filter = new TableFilter(patterns);
  const captured: CapturedTables = {
    captures: (schema, table) => filter.matches(schema, table),
    capturesIn: (schema) => filter.mayMatchIn(schema),
    tableNames,
  };
  const event = {
    kind: 'statement',
    schema: 'Shop',
    sql,
    standalone: true,
    gtid: null,
    commitTimeMs: 1,
    end: 9,
    timeMs: 1,
  } as const;
  return (touchedBy(event, captured, 'mysql')?.tables ?? []).map(({ schema, table }) => `${schema}.${table}`);
}

describe('the table that a statement means', () => {
  it('has the name of its rows where the server keeps names in lower case: routes find it by that', () => {
    for (const patterns of [['shop.*'], ['*.*'], ['shop.orders']]) {
      expect(named('TRUNCATE TABLE Orders', patterns, 'lower')).toEqual(['shop.orders']);
      expect(named('ALTER TABLE ORDERS ADD x INT', patterns, 'lower')).toEqual(['shop.orders']);
      expect(named('DROP DATABASE SHOP', patterns, 'lower')).toEqual(['shop.*']);
    }
  });

  it('is no other table than the one of that spelling where the server tells two spellings apart', () => {
    expect(named('TRUNCATE TABLE shop.Orders', ['shop.orders'], 'exact')).toEqual([]);
    expect(named('TRUNCATE TABLE shop.orders', ['shop.orders'], 'exact')).toEqual(['shop.orders']);
    expect(named('TRUNCATE TABLE Orders', ['*.*'], 'exact')).toEqual(['Shop.Orders']);
  });

  it('is taken for a captured one of either spelling where nothing is known', () => {
    expect(named('TRUNCATE TABLE Orders', ['shop.orders'], 'any')).toEqual(['shop.orders']);
  });
});

describe('what is told of a statement that must not pass', () => {
  const told = (sql: string): string => {
    try {
      named(sql, ['shop.*'], 'lower');
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
    return 'nothing';
  };

  it('are the tables that it names, and not each of its words', () => {
    const rows = 'was logged as a statement, not as rows, and touches';
    expect(told('UPDATE orders SET note = 1 WHERE id IN (SELECT id FROM goods)')).toBe(
      `UPDATE ${rows} shop.orders, shop.goods`,
    );
    expect(told('INSERT IGNORE INTO shop.orders (id, note) VALUES (1, 2)')).toBe(
      `INSERT ${rows} shop.orders`,
    );
    expect(told("DELETE LOW_PRIORITY FROM orders WHERE note = 'from goods'")).toBe(
      `DELETE ${rows} shop.orders`,
    );
  });

  it('is plainly that it touches captured tables, where its text does not tell which', () => {
    expect(told('CALL fill_up(1)')).toBe(
      'CALL was logged as a statement, not as rows, and touches what may be captured tables',
    );
    expect(told('ALTER THING orders')).toBe('ALTER THING changes what may be captured tables');
  });
});
