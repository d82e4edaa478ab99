/** A source with a table of every type, and targets of every engine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load.ts';
import type { SchemaOptions } from '../../src/wiring/schema.ts';
import { contractDatabase } from '../contract/target-fixture.ts';
import type { ContractDatabase, EngineName } from '../contract/target-fixture.ts';
import { mysqlDatabase, testServers } from '../support/servers.ts';
import type { MysqlDatabase } from '../support/servers.ts';

export interface SchemaFixture {
  readonly source: MysqlDatabase;
  readonly target: ContractDatabase;
  readonly options: SchemaOptions;
  /** The configuration with these routes. */
  readonly config: (routes?: readonly object[], schema?: object) => Config;
}

export async function schemaFixture(
  context: TestContext,
  from: 'mysql' | 'mariadb',
  to: EngineName,
  tables: readonly string[],
): Promise<SchemaFixture> {
  const { src, mariadb } = testServers();
  const source = await mysqlDatabase(context, from === 'mysql' ? src : mariadb);
  for (const table of tables) await source.pool.query(table);
  const target = await contractDatabase(context, to);
  const dir = mkdtempSync(join(tmpdir(), 'rowferry-schema-'));
  context.onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const url = new URL(source.server.url);
  url.pathname = '';
  const config = (
    routes: readonly object[] = [{ from: `${source.name}.*`, to: '{table}', target: 'east' }],
    schema: object = {},
  ): Config => {
    const text = JSON.stringify({
      name: 'shop',
      kafka: { brokers: ['127.0.0.1:1'] },
      sources: { main: { url: url.href, serverId: 1, tables: [`${source.name}.*`], startFrom: 'earliest' } },
      targets: { east: { url: target.url } },
      routes,
      schema,
    });
    writeFileSync(join(dir, 'rowferry.yaml'), text);
    return parseConfig(join(dir, 'rowferry.yaml'), text, { env: {}, readFile: () => '' });
  };
  return { source, target, config, options: { types: {}, indexes: 'before', dir } };
}

/** Every row of the table of types, with defaults, comments and indexes beside them. */
export const EVERY_TYPE = `CREATE TABLE every_type (
  id bigint unsigned NOT NULL AUTO_INCREMENT COMMENT 'it''s the id',
  t tinyint NOT NULL DEFAULT -1, tu tinyint unsigned DEFAULT 255, t1 tinyint(1) NOT NULL DEFAULT 1,
  s smallint DEFAULT NULL, su smallint unsigned, m mediumint, mu mediumint unsigned,
  i int NOT NULL DEFAULT 0, iu int unsigned, b bigint, bu bigint unsigned DEFAULT 18446744073709551615,
  d decimal(10,2) NOT NULL DEFAULT 0.00, dw decimal(65,30), f float, df double DEFAULT 1.5, b1 bit(1) DEFAULT b'1', b9 bit(9) DEFAULT b'101',
  b64 bit(64), c char(5) DEFAULT 'ab', c0 char(36) COLLATE utf8mb4_bin, v varchar(40) NOT NULL DEFAULT 'it''s \\\\ "so"',
  vl varchar(10) CHARACTER SET latin1, tt tinytext, tx text, mt mediumtext, lt longtext,
  bi binary(16), bd binary(4) NOT NULL DEFAULT 'ab', vd varbinary(9) DEFAULT 'a''\\\\b', vb varbinary(300), tb tinyblob, bl blob, mb mediumblob, lb longblob,
  da date DEFAULT '2020-01-31', dt datetime DEFAULT CURRENT_TIMESTAMP, dt6 datetime(6) DEFAULT CURRENT_TIMESTAMP(6),
  ts timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, ts3 timestamp(3) NULL,
  ti time DEFAULT '10:11:12', ti6 time(6), y year DEFAULT 2020,
  e enum('a','b,c','it''s') NOT NULL DEFAULT 'it''s', st set('x','y z','w') DEFAULT 'x,w', j json,
  total decimal(12,2) GENERATED ALWAYS AS (d * 2) STORED, virt int GENERATED ALWAYS AS (i + 1) VIRTUAL,
  g point,
  PRIMARY KEY (id), UNIQUE KEY v_key (v), UNIQUE KEY pair (i, vl), KEY s_key (s, b DESC), KEY tx_key (tx(20)),
  FULLTEXT KEY ft (mt), CONSTRAINT positive CHECK (iu > 0 OR v = 'x')
) COMMENT 'a table; of everything'`;

/** What only MySQL has, or tells in a way of its own. */
export const ODD_TABLE = String.raw`CREATE TABLE odd (
  id int NOT NULL, name varchar(20) NOT NULL DEFAULT (concat('a''b', '\\')), made char(36) DEFAULT (uuid()),
  secret int INVISIBLE DEFAULT 3, day date DEFAULT (curdate()),
  low varchar(20) GENERATED ALWAYS AS (lower(concat(name, 'x''\\y'))) VIRTUAL,
  PRIMARY KEY (id), KEY lowered ((lower(name))), CONSTRAINT named CHECK (name <> 'it''s')
) ROW_FORMAT=DYNAMIC`;
