/** Statements as servers, tools and migrations write them, with what they do. The session's schema is `shop`. */
import type { ColumnDefinition, IndexDefinition } from '../../../src/model/schema-change.ts';

/** An effect in short: `none`, `truncate`, `stops`, or steps in words. */
export interface CorpusEntry {
  readonly sql: string;
  readonly verb: string;
  /** `schema.table`. */
  readonly tables: readonly string[];
  readonly effect: string;
}

export function columnText(column: ColumnDefinition): string {
  return [
    column.name,
    column.type,
    ...(column.charset === null ? [] : [`charset ${column.charset}`]),
    ...(column.collation === null ? [] : [`collate ${column.collation}`]),
    column.nullable ? 'null' : 'not null',
    ...(column.default === null ? [] : [`default <${column.default}>`]),
    ...(column.comment === '' ? [] : [`comment <${column.comment}>`]),
  ].join(' ');
}

export function indexText({ name, parts }: IndexDefinition): string {
  const texts = parts.map(({ column, prefix, descending }) => {
    return column + (prefix === null ? '' : `(${prefix})`) + (descending ? ' desc' : '');
  });
  return `index ${name ?? '?'} (${texts.join(', ')})`;
}

const alter = (clauses: string, effect: string): CorpusEntry => ({
  sql: `ALTER TABLE orders ${clauses}`,
  verb: 'ALTER TABLE',
  tables: ['shop.orders'],
  effect,
});
const add = (definition: string, effect: string): CorpusEntry =>
  alter(`ADD COLUMN ${definition}`, effect === 'stops' ? effect : `add ${effect}`);
const entry = (sql: string, verb: string, tables: readonly string[], effect: string): CorpusEntry => ({
  sql,
  verb,
  tables,
  effect,
});

const NEW_COLUMNS: readonly CorpusEntry[] = [
  add('note TEXT', 'note text null'),
  add('n INT', 'n int null'),
  add('n INT(11) DEFAULT NULL', 'n int null'),
  add('n INTEGER UNSIGNED NOT NULL DEFAULT 0', 'n int unsigned not null default <0>'),
  add('n bigint(20) unsigned zerofill', 'n bigint unsigned null'),
  add('n TINYINT(1) NOT NULL DEFAULT 1', 'n tinyint(1) not null default <1>'),
  add('n BOOLEAN NOT NULL DEFAULT FALSE', 'n tinyint(1) not null default <0>'),
  add('n BOOL DEFAULT TRUE', 'n tinyint(1) null default <1>'),
  add("n INT NOT NULL DEFAULT '-5'", 'n int not null default <-5>'),
  add('n SMALLINT NOT NULL DEFAULT -007', 'n smallint not null default <-7>'),
  add("n TINYINT DEFAULT b'101'", 'n tinyint null default <5>'),
  add('n MEDIUMINT SIGNED', 'n mediumint null'),
  add('n INT8', 'n bigint null'),
  add('n TINYINT DEFAULT 300', 'stops'),
  add('n INT UNSIGNED DEFAULT -1', 'stops'),
  add('n INT DEFAULT 1.5', 'stops'),
  add('price DECIMAL', 'price decimal(10,0) null'),
  add('price DECIMAL(12) UNSIGNED', 'price decimal(12,0) unsigned null'),
  add('price NUMERIC(12,4) NOT NULL DEFAULT 1.5', 'price decimal(12,4) not null default <1.5000>'),
  add("price DEC(5,2) DEFAULT '-0.50'", 'price decimal(5,2) null default <-0.50>'),
  add('price DECIMAL(5,2) DEFAULT 0.005', 'stops'),
  add('price DECIMAL(3,2) DEFAULT 10', 'stops'),
  add('ratio DOUBLE PRECISION DEFAULT 1.5e-3', 'ratio double null default <1.5e-3>'),
  add('ratio FLOAT(30)', 'ratio double null'),
  add('ratio FLOAT(7,4) UNSIGNED', 'ratio float(7,4) unsigned null'),
  add('ratio REAL', 'ratio double null'),
  add("flags BIT(8) NOT NULL DEFAULT b'00000101'", 'flags bit(8) not null default <101>'),
  add('flag BIT DEFAULT 0', 'flag bit(1) null default <0>'),
  add("flag BIT DEFAULT '1'", 'stops'),
  add("`state` varchar(20) NOT NULL DEFAULT 'new'", 'state varchar(20) not null default <new>'),
  add(
    "name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci DEFAULT NULL COMMENT 'it''s the name'",
    "name varchar(255) charset utf8mb4 collate utf8mb4_unicode_ci null comment <it's the name>",
  ),
  add('name VARCHAR(9) COLLATE utf8_bin', 'name varchar(9) charset utf8mb3 collate utf8mb3_bin null'),
  add('name NATIONAL VARCHAR(9)', 'name varchar(9) charset utf8mb3 null'),
  add('name CHARACTER VARYING(9) CHARSET latin1', 'name varchar(9) charset latin1 null'),
  add('name CHAR(3) BYTE', 'name binary(3) null'),
  add('name CHAR ASCII', 'name char(1) charset latin1 null'),
  add('name VARCHAR(9) BINARY', 'stops'),
  add('name VARCHAR(9) CHARACTER SET binary', 'stops'),
  add("name VARCHAR(20) NOT NULL DEFAULT ''", 'name varchar(20) not null default <>'),
  add(
    "name VARCHAR(20) DEFAULT 'a, b) , DROP COLUMN c'",
    'name varchar(20) null default <a, b) , DROP COLUMN c>',
  ),
  add(String.raw`name VARCHAR(20) DEFAULT 'it\'s'`, "name varchar(20) null default <it's>"),
  add(String.raw`name VARCHAR(20) DEFAULT 'a\\b'`, 'stops'),
  add("name VARCHAR(20) DEFAULT _latin1'x'", 'stops'),
  add('name VARCHAR(20) DEFAULT "x"', 'name varchar(20) null default <x>'),
  add('body LONG VARCHAR', 'body mediumtext null'),
  add('body LONGTEXT NOT NULL', 'stops'),
  add("body TEXT DEFAULT ''", 'stops'),
  add('body TEXT(100)', 'stops'),
  add('data BLOB(70000)', 'data mediumblob null'),
  add('meta JSON DEFAULT NULL', 'meta json null'),
  add("hash BINARY(4) NOT NULL DEFAULT x'AB01'", 'hash binary(4) not null default <0xab010000>'),
  add("hash VARBINARY(4) DEFAULT 'ab'", 'hash varbinary(4) null default <0x6162>'),
  add('hash VARBINARY(4) DEFAULT 0xAB', 'hash varbinary(4) null default <0xab>'),
  add(
    "kind ENUM('a','b,c','it''s') NOT NULL DEFAULT 'b,c'",
    "kind enum('a','b,c','it''s') not null default <b,c>",
  ),
  add("kind ENUM('a','b') DEFAULT 'A'", 'stops'),
  add("tags SET('x','y z') DEFAULT 'x,y z'", "tags set('x','y z') null default <x,y z>"),
  add("day DATE NOT NULL DEFAULT '2020-01-31'", 'day date not null default <2020-01-31>'),
  add("day DATE DEFAULT DATE '2020-01-31'", 'day date null default <2020-01-31>'),
  add(
    "at DATETIME(3) DEFAULT '2020-01-31 10:00:00'",
    'at datetime(3) null default <2020-01-31 10:00:00.000>',
  ),
  add('at DATETIME(6) NULL', 'at datetime(6) null'),
  add('at DATETIME DEFAULT CURRENT_TIMESTAMP', 'stops'),
  add('at DATETIME NOT NULL DEFAULT NOW() ON UPDATE NOW()', 'stops'),
  add('at TIMESTAMP NULL DEFAULT NULL', 'at timestamp null'),
  add('at TIMESTAMP', 'stops'),
  add('at TIMESTAMP NOT NULL', 'stops'),
  add("at TIMESTAMP NULL DEFAULT '2020-01-31 10:00:00'", 'stops'),
  add('y YEAR(4) DEFAULT 2020', 'y year null default <2020>'),
  add('made CHAR(36) DEFAULT (uuid())', 'stops'),
  add('made INT GENERATED ALWAYS AS (n + 1) VIRTUAL', 'stops'),
  add('made INT AS (n + 1) STORED', 'stops'),
  add('made INT NOT NULL', 'stops'),
  add('made INT AUTO_INCREMENT UNIQUE', 'stops'),
  add('made INT UNIQUE', 'stops'),
  add('made INT PRIMARY KEY', 'stops'),
  add('made INT REFERENCES others (id)', 'stops'),
  add('made INT CHECK (made > 0)', 'stops'),
  add('made INT INVISIBLE', 'stops'),
  add('made SERIAL', 'stops'),
  add('made POINT', 'stops'),
  add('made UUID', 'stops'),
  add('made INT /*!80023 INVISIBLE */', 'stops'),
  add('IF NOT EXISTS a INT FIRST, ADD b INT AFTER `a`', 'a int null; add b int null'),
  alter("ADD (a INT, b VARCHAR(3) DEFAULT 'x')", 'add a int null; add b varchar(3) null default <x>'),
  alter('ADD COLUMN (a INT, b INT NOT NULL)', 'stops'),
  alter('ADD `key` INT, ADD KEY `key` (`key`)', 'add key int null; index key (key)'),
  alter('ADD a INT, ALGORITHM=INSTANT, LOCK = NONE', 'add a int null'),
  alter('ADD a INT, DROP b', 'stops'),
];

const OTHER_CLAUSES: readonly CorpusEntry[] = [
  alter('MODIFY COLUMN n BIGINT', 'widen n bigint null'),
  alter(
    "MODIFY kind ENUM('a','b','c') NOT NULL DEFAULT 'a'",
    "widen kind enum('a','b','c') not null default <a>",
  ),
  alter('CHANGE name NAME VARCHAR(255) NOT NULL AFTER id', 'widen NAME varchar(255) not null'),
  alter('CHANGE COLUMN name title VARCHAR(255)', 'stops'),
  alter('MODIFY id BIGINT NOT NULL AUTO_INCREMENT', 'stops'),
  alter('ADD INDEX by_day (day DESC, name(10))', 'index by_day (day desc, name(10))'),
  alter('ADD KEY (a) USING BTREE, ADD INDEX USING HASH (b)', 'index ? (a); index ? (b)'),
  alter("ADD INDEX i TYPE BTREE (a) COMMENT 'x' INVISIBLE", 'index i (a)'),
  alter('ADD INDEX low ((lower(name)))', 'none'),
  alter('ADD UNIQUE KEY u (a, b)', 'none'),
  alter('ADD CONSTRAINT u UNIQUE (a)', 'none'),
  alter('ADD FULLTEXT INDEX f (body) WITH PARSER ngram', 'none'),
  alter('ADD CONSTRAINT `fk_rails_1` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)', 'none'),
  alter('ADD FOREIGN KEY (a) REFERENCES crm.users (id) ON DELETE RESTRICT ON UPDATE NO ACTION', 'none'),
  alter('ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES users (id) ON DELETE CASCADE', 'stops'),
  alter('ADD CONSTRAINT c CHECK (a > 0) NOT ENFORCED', 'none'),
  alter('DROP FOREIGN KEY f, DROP INDEX i, DROP CHECK c', 'none'),
  alter('DROP INDEX `PRIMARY`', 'stops'),
  alter('DROP PRIMARY KEY, ADD PRIMARY KEY (a, b)', 'stops'),
  alter('DROP COLUMN a', 'stops'),
  alter('DROP a', 'stops'),
  alter('RENAME COLUMN a TO b', 'stops'),
  alter('RENAME INDEX a TO b', 'none'),
  alter("ALTER COLUMN a SET DEFAULT 'x', ALTER b DROP DEFAULT", 'none'),
  alter('ALTER a SET DEFAULT (uuid()), ALTER INDEX i INVISIBLE', 'none'),
  alter("ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='a, b' AUTO_INCREMENT = 100", 'none'),
  alter('ENGINE=BLACKHOLE', 'stops'),
  alter('DEFAULT CHARACTER SET = utf8mb4 COLLATE utf8mb4_bin', 'none'),
  alter('CONVERT TO CHARACTER SET utf8mb4', 'stops'),
  alter('ORDER BY a DESC, b', 'none'),
  alter('FORCE', 'none'),
  alter('ADD PARTITION (PARTITION p3 VALUES LESS THAN (2030) ENGINE = InnoDB)', 'none'),
  alter('REORGANIZE PARTITION p0, p1 INTO (PARTITION p VALUES LESS THAN MAXVALUE)', 'none'),
  alter('COALESCE PARTITION 2', 'none'),
  alter('ANALYZE PARTITION p0, p1', 'none'),
  alter('PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN MAXVALUE)', 'none'),
  alter('ENGINE=InnoDB PARTITION BY HASH (id) PARTITIONS 4', 'none'),
  alter('REMOVE PARTITIONING', 'none'),
  alter('DROP PARTITION p0', 'stops'),
  alter('TRUNCATE PARTITION p0', 'stops'),
  alter('DISCARD TABLESPACE', 'stops'),
  alter('ADD SYSTEM VERSIONING', 'stops'),
  alter('SOMETHING NEW', 'stops'),
];

const WHOLE: readonly CorpusEntry[] = [
  entry('ALTER IGNORE TABLE orders ADD UNIQUE (a)', 'ALTER TABLE', ['shop.orders'], 'stops'),
  entry(
    'ALTER ONLINE TABLE IF EXISTS crm.orders WAIT 10 ADD COLUMN IF NOT EXISTS a INT',
    'ALTER TABLE',
    ['crm.orders'],
    'add a int null',
  ),
  entry('ALTER TABLE orders NOWAIT ADD a INT', 'ALTER TABLE', ['shop.orders'], 'add a int null'),
  entry(
    'ALTER TABLE `odd ``table, name` ADD `odd ``column` INT',
    'ALTER TABLE',
    ['shop.odd `table, name'],
    'add odd `column int null',
  ),
  entry(
    'ALTER TABLE orders EXCHANGE PARTITION p WITH TABLE old',
    'ALTER TABLE',
    ['shop.orders', 'shop.old'],
    'stops',
  ),
  entry('ALTER TABLE orders RENAME TO old', 'ALTER TABLE', ['shop.orders', 'shop.old'], 'stops'),
  entry('/*!40000 ALTER TABLE `orders` DISABLE KEYS */', 'ALTER TABLE', ['shop.orders'], 'none'),
  entry('TRUNCATE TABLE orders', 'TRUNCATE', ['shop.orders'], 'truncate'),
  entry('TRUNCATE crm.`orders`;', 'TRUNCATE', ['crm.orders'], 'truncate'),
  entry('TRUNCATE TABLE orders WAIT 3', 'TRUNCATE', ['shop.orders'], 'truncate'),
  entry(
    'DROP TABLE IF EXISTS `a`,`b` /* generated by server */',
    'DROP TABLE',
    ['shop.a', 'shop.b'],
    'stops',
  ),
  entry('RENAME TABLE a TO b, c TO d', 'RENAME TABLE', ['shop.a', 'shop.b', 'shop.c', 'shop.d'], 'stops'),
  entry('CREATE OR REPLACE TABLE orders (id INT)', 'CREATE OR REPLACE TABLE', ['shop.orders'], 'stops'),
  entry('CREATE INDEX i ON orders (a, b(5) DESC)', 'CREATE INDEX', ['shop.orders'], 'index i (a, b(5) desc)'),
  entry(
    'CREATE INDEX IF NOT EXISTS i USING BTREE ON crm.orders (a) ALGORITHM=INPLACE LOCK=NONE',
    'CREATE INDEX',
    ['crm.orders'],
    'index i (a)',
  ),
  entry('CREATE INDEX i ON orders ((lower(a)))', 'CREATE INDEX', [], 'none'),
  entry('CREATE UNIQUE INDEX i ON orders (a)', 'CREATE INDEX', ['shop.orders'], 'none'),
  entry('DROP INDEX i ON orders', 'DROP INDEX', ['shop.orders'], 'none'),
  entry('DROP INDEX `PRIMARY` ON orders', 'DROP INDEX', ['shop.orders'], 'stops'),
  entry(
    'SET STATEMENT max_statement_time=10 FOR ALTER TABLE orders DROP a',
    'ALTER TABLE',
    ['shop.orders'],
    'stops',
  ),
  entry('SET STATEMENT lock_wait_timeout=1 FOR TRUNCATE orders', 'TRUNCATE', ['shop.orders'], 'truncate'),
];

/** What gh-ost, pt-online-schema-change and migrations leave in a binlog, in their order. */
const TOOLS: readonly CorpusEntry[] = [
  entry(
    'create /* gh-ost */ table `shop`.`_orders_ghc` (id bigint auto_increment, primary key(id))',
    'CREATE TABLE',
    [],
    'none',
  ),
  entry('create /* gh-ost */ table `shop`.`_orders_gho` like `shop`.`orders`', 'CREATE TABLE', [], 'none'),
  entry(
    'alter /* gh-ost */ table `shop`.`_orders_gho` add column note varchar(20)',
    'ALTER TABLE',
    ['shop._orders_gho'],
    'add note varchar(20) null',
  ),
  entry(
    'drop /* gh-ost */ table if exists `shop`.`_orders_del`',
    'DROP TABLE',
    ['shop._orders_del'],
    'stops',
  ),
  entry(
    "create /* gh-ost */ table `shop`.`_orders_del` (id int auto_increment primary key) engine=InnoDB comment='ghost-cut-over-sentry'",
    'CREATE TABLE',
    [],
    'none',
  ),
  entry(
    'rename /* gh-ost */ table `shop`.`orders` to `shop`.`_orders_del`, `shop`.`_orders_gho` to `shop`.`orders`',
    'RENAME TABLE',
    ['shop.orders', 'shop._orders_del', 'shop._orders_gho', 'shop.orders'],
    'stops',
  ),
  entry(
    'drop /* gh-ost */ table if exists `shop`.`_orders_ghc`',
    'DROP TABLE',
    ['shop._orders_ghc'],
    'stops',
  ),
  entry(
    'CREATE TABLE `shop`.`_orders_new` (\n  `id` int NOT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB',
    'CREATE TABLE',
    [],
    'none',
  ),
  entry('ALTER TABLE `shop`.`_orders_new` DROP COLUMN note', 'ALTER TABLE', ['shop._orders_new'], 'stops'),
  entry(
    'CREATE TRIGGER `pt_osc_shop_orders_del` AFTER DELETE ON `shop`.`orders` FOR EACH ROW BEGIN DELETE IGNORE FROM `shop`.`_orders_new` WHERE `shop`.`_orders_new`.`id` <=> OLD.`id`; END',
    'CREATE TRIGGER',
    [],
    'none',
  ),
  entry('ANALYZE TABLE `shop`.`_orders_new` /* pt-online-schema-change */', 'ANALYZE', [], 'none'),
  entry(
    'RENAME TABLE `shop`.`orders` TO `shop`.`_orders_old`, `shop`.`_orders_new` TO `shop`.`orders`',
    'RENAME TABLE',
    ['shop.orders', 'shop._orders_old', 'shop._orders_new', 'shop.orders'],
    'stops',
  ),
  entry(
    'DROP TABLE IF EXISTS `_orders_old` /* generated by server */',
    'DROP TABLE',
    ['shop._orders_old'],
    'stops',
  ),
  entry('DROP TRIGGER IF EXISTS `shop`.`pt_osc_shop_orders_del`', 'DROP TRIGGER', [], 'none'),
  alter('ADD `deleted_at` datetime(6)', 'add deleted_at datetime(6) null'),
  alter('ADD `position` int DEFAULT 0 NOT NULL /* rails */', 'add position int not null default <0>'),
  entry(
    'CREATE INDEX `index_orders_on_user_id` ON `orders` (`user_id`)',
    'CREATE INDEX',
    ['shop.orders'],
    'index index_orders_on_user_id (user_id)',
  ),
  alter("ADD COLUMN `active` bool DEFAULT b'1' NOT NULL", 'add active tinyint(1) not null default <1>'),
  alter('ALTER COLUMN `active` DROP DEFAULT', 'none'),
  alter(
    'ADD CONSTRAINT `orders_user_id_5f1_fk_users_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)',
    'none',
  ),
  alter('MODIFY `name` varchar(200) NOT NULL', 'widen name varchar(200) not null'),
  alter(
    '\n    ADD COLUMN total DECIMAL(19, 4) NULL, -- V7\n    ADD INDEX idx_total (total)',
    'add total decimal(19,4) null; index idx_total (total)',
  ),
];

export const CORPUS: readonly CorpusEntry[] = [...NEW_COLUMNS, ...OTHER_CLAUSES, ...WHOLE, ...TOOLS];
