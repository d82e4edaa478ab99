// Where does a row live? The application asks the very code by which rowferry wrote the row.
import { indexRange, Layout, locateNumber, planByPeriod, RowferryError } from 'rowferry/routing';

const database = (shard) => `trade_${String(shard * 4).padStart(2, '0')}`;

/** 16 databases by the high slot of the user, with `tables` tables each by the low slot. */
const layoutOf = (tables) =>
  new Layout({
    to: 'trade_order',
    targets: Array.from({ length: 16 }, (_, shard) => database(shard)),
    shards: { algorithm: 'segments', by: 'user_id', count: 16, half: 'high' },
    tables: { rule: { algorithm: 'segments', by: 'user_id', count: tables } },
  });

const orders = layoutOf(16);
const show = ({ target, table }) => console.log(`${target}.${table}`);

show(orders.locateKey(1000)); // a number, as long as it is a safe integer
show(orders.locateKey('9007199254740993')); // beyond 2^53: a text or a bigint
show(orders.locate({ user_id: 1000n })); // by the names of the columns
show(locateNumber(orders, '23111422132000000010100660511540')); // by an order number, without the user

// A number is not sent to a guess: what cannot be a key is an error.
try {
  orders.locateKey(null);
} catch (error) {
  if (error instanceof RowferryError) console.log(error.code);
}

// Tables of a date rule that a range of time touches, in order.
const log = new Layout({
  to: 'log',
  targets: ['logs'],
  shards: null,
  tables: { rule: { algorithm: 'date', by: 'at', period: 'month', since: '2024-01' } },
});
console.log(indexRange(log.tables, '2026-10-31', '2026-11-02').map((index) => log.tableAt(index)));

// What would 32 tables cost?
console.log(planByPeriod(orders, layoutOf(32)).share);
