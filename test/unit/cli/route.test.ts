import { describe, expect, it } from 'vitest';
import { routeCommand } from '../../../src/cli/route.ts';
import { fileWith, ordersConfig, runVerb, TWICE } from '../../support/run-verb.ts';
import type { VerbRun } from '../../support/run-verb.ts';

const NUMBER = '23111422132000000010100660511540';

async function route(
  config: string,
  ...args: readonly string[]
): Promise<VerbRun & { readonly file: string }> {
  const file = fileWith(config);
  return { ...(await runVerb(routeCommand, ['--config', file, ...args])), file };
}

describe('rowferry route', () => {
  it('says where a key lives and under which rule', async () => {
    const { lines, exitCode, file } = await route(ordersConfig(16), 'shop.orders', '4095');
    expect(lines).toEqual([
      'db_01  orders_60',
      `  route    shop.orders -> orders  (${file}:11:5)`,
      '  targets  2 segments of 64 slots of floor(user_id / 64) mod 64',
      '  tables   16 segments of 64 slots of user_id mod 64',
    ]);
    expect(exitCode).toBe(0);
  });

  it('takes 32 digits for a business number where the layout goes by slots (SHR-16)', async () => {
    const { lines } = await route(ordersConfig(16), 'shop.orders', NUMBER);
    expect(lines[0]).toBe('db_00  orders_40');
    expect(lines.at(-1)).toBe('  asked by the slots of a business number');
  });

  it('takes them for a key when told so', async () => {
    const { lines } = await route(ordersConfig(16), 'shop.orders', NUMBER, '--key', '--json');
    const digits = BigInt(NUMBER);
    const segment = Number(digits % 64n) - (Number(digits % 64n) % 4);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      asked: 'key',
      found: {
        target: (digits / 64n) % 64n < 32n ? 'db_00' : 'db_01',
        table: `orders_${String(segment).padStart(2, '0')}`,
      },
    });
  });

  it('answers for every route of the table whose columns are given (SHR-12)', async () => {
    const { lines } = await route(TWICE, 'shop.orders', 'user_id=1000', 'SUPPLIER_ID=7');
    expect(lines.filter((line) => !line.startsWith(' '))).toEqual([
      'db_00  orders_40',
      'archive  orders_by_supplier_03',
    ]);
    const one = await route(TWICE, 'shop.orders', 'user_id=1000');
    expect(one.lines.filter((line) => !line.startsWith(' '))).toEqual([
      'db_00  orders_40',
      'cannot tell: ROWFERRY_ROUTE_KEY: needs a value of supplier_id -> add supplier_id=…',
    ]);
    expect(one.exitCode).toBe(0);
  });

  it('does not guess which of two columns a bare key is of', async () => {
    await expect(route(TWICE, 'shop.orders', '1000')).rejects.toMatchObject({
      code: 'ROWFERRY_ROUTE_KEY',
      message: 'the routes of shop.orders decide by user_id or by supplier_id',
    });
    const { lines } = await route(TWICE, 'shop.orders', '7', '--route', 'orders_by_supplier');
    expect(lines[0]).toBe('archive  orders_by_supplier_03');
  });

  it('tells a key that no rule can take by its kind, with the exit code for data', async () => {
    const { lines, exitCode } = await route(ordersConfig(16), 'shop.orders', 'secret');
    expect(lines[0]).toContain('cannot tell: ROWFERRY_ROUTE_KEY: the sharding key is not an integer');
    expect(lines.join('\n')).not.toContain('secret');
    expect(exitCode).toBe(4);
  });

  it('finds a table by its name at the targets', async () => {
    const { lines } = await route(ordersConfig(16), 'orders', '5');
    expect(lines[0]).toBe('db_00  orders_04');
  });

  it.each([
    ['two bare keys', ['1', '2']],
    ['a key that is also a number', ['1', '--key', '--number']],
  ])('refuses %s as misuse', async (_, args) => {
    await expect(route(ordersConfig(16), 'shop.orders', ...args)).rejects.toMatchObject({ exitCode: 1 });
  });
});
