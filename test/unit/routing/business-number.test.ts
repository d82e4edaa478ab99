import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { locateNumber, routesNumbers, slotsOfNumber } from '../../../src/routing/business-number.ts';
import { databases, modulo, tables, twoLevels } from './layouts.ts';

/** IDG-8: 2023-11-14 22:13:20.000 UTC, sequence 1, type 01, machine 10.1.2.3, user 1000. */
const NUMBER = '23111422132000000010100660511540';

const ending = (slots: string): string => NUMBER.slice(0, -4) + slots;

describe('a business number', () => {
  it('SHR-16: ending 1540 is in database 12 and table 40 of 16 databases and 16 tables', () => {
    expect(slotsOfNumber(NUMBER)).toEqual({ database: 15, table: 40 });
    const layout = twoLevels(16, 16);
    expect(layout.shards?.label(layout.spec.targets.indexOf(locateNumber(layout, NUMBER).target))).toBe(12);
    expect(locateNumber(layout, NUMBER)).toEqual({ target: 'db3', table: 'orders_40' });
  });

  it('SHR-17: stays right after an expansion: slot 07 is in table 04 of 16 and 06 of 32', () => {
    expect(locateNumber(twoLevels(16, 16), ending('0007')).table).toBe('orders_04');
    expect(locateNumber(twoLevels(16, 32), ending('0007')).table).toBe('orders_06');
  });

  it('IDG-7: finds the table of the key whose slots it carries, under every layout', () => {
    const powers = fc.constantFrom(1, 2, 4, 8, 16, 32, 64);
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n }), powers, powers, (key, dbs, tbls) => {
        const digits = [(key / 64n) % 64n, key % 64n].map((slot) => String(slot).padStart(2, '0'));
        const layout = twoLevels(dbs, tbls);
        expect(locateNumber(layout, ending(digits.join('')))).toEqual(layout.locateKey(key));
      }),
    );
  });

  it.each([
    ['too short', NUMBER.slice(1), 'has 31 digits, not 32 digits'],
    ['empty', '', 'has 0 digits, not 32 digits'],
    ['no number', `${NUMBER.slice(1)}x`, 'has something else than digits, not 32 digits'],
    ['in other digits', `${NUMBER.slice(1)}٣`, 'has something else than digits, not 32 digits'],
    ['with a database slot that cannot be', ending('6400'), 'has a database slot past 63'],
    ['with a table slot that cannot be', ending('0064'), 'has a table slot past 63'],
  ])('%s is refused by its kind and not by its value', (_, number, message) => {
    expect(() => slotsOfNumber(number)).toThrow(
      expect.objectContaining({ code: 'ROWFERRY_ROUTE_KEY', message: `the business number ${message}` }),
    );
  });

  it('is refused where the layout goes by something else than the slots of its level', () => {
    const others = [
      databases(4, modulo(4)),
      databases(4, { algorithm: 'segments', by: 'user_id', count: 4 }),
      tables({ algorithm: 'segments', by: 'user_id', count: 4, half: 'high' }),
      tables({ algorithm: 'segments', by: 'user_id', count: 4, slots: 128 }),
    ];
    for (const layout of others) {
      expect(routesNumbers(layout)).toBe(false);
      expect(() => locateNumber(layout, NUMBER)).toThrow('does not go by the slots of a business number');
    }
  });

  it('routes over one level too', () => {
    const layout = tables({ algorithm: 'virtual-nodes', by: 'user_id', max: 64, current: 16 });
    expect(routesNumbers(layout)).toBe(true);
    expect(locateNumber(layout, NUMBER)).toEqual({ target: 'db', table: 'orders_40' });
  });
});
