/** The shop: three tables with the column types of everyday life, for the demo and for tests. */
import type { Connection } from 'mysql2/promise';
import type { Random } from './random.ts';
import { orderRow, productRow, userRow } from './shop-rows.ts';

export type ShopTable = 'users' | 'products' | 'orders';

export const SHOP_TABLES: readonly ShopTable[] = ['users', 'products', 'orders'];

/** CREATE TABLE for MySQL and MariaDB, source and target alike. */
export const MYSQL_SHOP: Readonly<Record<ShopTable, string>> = {
  users: `CREATE TABLE users (
    id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    email VARCHAR(120) NOT NULL UNIQUE,
    name VARCHAR(80) NOT NULL,
    active TINYINT(1) NOT NULL,
    balance DECIMAL(16,4) NOT NULL,
    born DATE NULL,
    settings JSON NULL,
    created_at DATETIME(6) NOT NULL
  ) DEFAULT CHARSET = utf8mb4`,
  products: `CREATE TABLE products (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    sku CHAR(12) NOT NULL,
    title VARCHAR(200) NOT NULL,
    price DECIMAL(10,2) NOT NULL,
    weight FLOAT NULL,
    tags JSON NULL,
    updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)
  ) DEFAULT CHARSET = utf8mb4`,
  orders: `CREATE TABLE orders (
    id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    user_id BIGINT UNSIGNED NOT NULL,
    product_id INT UNSIGNED NOT NULL,
    status ENUM('new','paid','shipped','returned') NOT NULL,
    extras SET('gift','express','insured') NOT NULL,
    quantity SMALLINT UNSIGNED NOT NULL,
    amount DECIMAL(12,2) NOT NULL,
    discount DOUBLE NULL,
    note VARCHAR(200) NULL,
    details JSON NULL,
    receipt VARBINARY(64) NULL,
    delivery DATE NULL,
    placed_at DATETIME(6) NOT NULL,
    updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    KEY by_user (user_id)
  ) DEFAULT CHARSET = utf8mb4`,
};

/** The same for PostgreSQL: wider where it has no unsigned type, text where it has no label type. */
export const POSTGRES_SHOP: Readonly<Record<ShopTable, string>> = {
  users: `CREATE TABLE users (
    id NUMERIC(20) PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    active SMALLINT NOT NULL,
    balance NUMERIC(16,4) NOT NULL,
    born DATE,
    settings JSONB,
    created_at TIMESTAMP(6) NOT NULL
  )`,
  products: `CREATE TABLE products (
    id BIGINT PRIMARY KEY,
    sku CHAR(12) NOT NULL,
    title TEXT NOT NULL,
    price NUMERIC(10,2) NOT NULL,
    weight REAL,
    tags JSONB,
    updated_at TIMESTAMPTZ(3) NOT NULL
  )`,
  orders: `CREATE TABLE orders (
    id NUMERIC(20) PRIMARY KEY,
    user_id NUMERIC(20) NOT NULL,
    product_id BIGINT NOT NULL,
    status TEXT NOT NULL,
    extras TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    amount NUMERIC(12,2) NOT NULL,
    discount DOUBLE PRECISION,
    note TEXT,
    details JSONB,
    receipt BYTEA,
    delivery DATE,
    placed_at TIMESTAMP(6) NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
  )`,
};

export interface ShopSize {
  readonly users: number;
  readonly products: number;
  readonly orders: number;
}

const ROWS_PER_INSERT = 500;

/** Fills the three tables; ids count from 1. Answers the number of rows. */
export async function seedShop(connection: Connection, size: ShopSize, random: Random): Promise<number> {
  const rows: Readonly<Record<ShopTable, (id: number) => readonly unknown[]>> = {
    users: (id) => userRow(random, id),
    products: (id) => productRow(random, id),
    orders: (id) => orderRow(random, id, size.users, size.products),
  };
  for (const table of SHOP_TABLES) {
    for (let first = 1; first <= size[table]; first += ROWS_PER_INSERT) {
      const count = Math.min(ROWS_PER_INSERT, size[table] - first + 1);
      const values = Array.from({ length: count }, (_, i) => rows[table](first + i));
      await connection.query(`INSERT INTO ${table} (${SHOP_COLUMNS[table]}) VALUES ?`, [values]);
    }
  }
  return size.users + size.products + size.orders;
}

/** The columns that row generators fill, in their order. */
export const SHOP_COLUMNS: Readonly<Record<ShopTable, string>> = {
  users: 'id, email, name, active, balance, born, settings, created_at',
  products: 'id, sku, title, price, weight, tags',
  orders:
    'id, user_id, product_id, status, extras, quantity, amount, discount, note, details, receipt, delivery, placed_at',
};

/** A database by name and URL. */
export interface Place {
  readonly name: string;
  readonly url: string;
}
