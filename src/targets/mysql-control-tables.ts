/** Creates the control tables in MySQL and MariaDB. */
import type { MysqlResult } from '../drivers/mysql.ts';
import { quote } from '../model/mysql-literals.ts';
import type { ControlSql } from './control-sql.ts';
import { checkControlVersion, CONTROL_COMMENT } from './control-sql.ts';

const OPTIONS = `ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin ROW_FORMAT = DYNAMIC COMMENT = ${quote(CONTROL_COMMENT)}`;

const WATERMARK = `CREATE TABLE IF NOT EXISTS rowferry_watermark (
  pipeline varchar(128) NOT NULL,
  topic varchar(255) NOT NULL,
  \`partition\` int NOT NULL,
  owner bigint NOT NULL,
  next bigint NOT NULL,
  planned_end bigint NULL,
  epoch bigint NOT NULL,
  \`file\` bigint NOT NULL,
  \`end\` bigint NOT NULL,
  half bigint NOT NULL,
  source_time_ms bigint NULL,
  write_id char(36) NULL,
  updated_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (pipeline, topic, \`partition\`)
) ${OPTIONS}`;

const PARKED = `CREATE TABLE IF NOT EXISTS rowferry_parked (
  pipeline varchar(128) NOT NULL,
  topic varchar(255) NOT NULL,
  \`partition\` int NOT NULL,
  target_table varchar(200) NOT NULL,
  key_hash char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  row_key longtext NOT NULL,
  source_table varchar(200) NOT NULL,
  source_shape longtext NOT NULL,
  image longtext NOT NULL,
  epoch bigint NOT NULL,
  \`file\` bigint NOT NULL,
  \`end\` bigint NOT NULL,
  half bigint NOT NULL,
  reason varchar(16) NOT NULL,
  detail text NOT NULL,
  attempts int NOT NULL,
  parked_at datetime(3) NOT NULL,
  PRIMARY KEY (pipeline, topic, \`partition\`, target_table, key_hash),
  KEY by_table (target_table)
) ${OPTIONS}`;

const TRUNCATED = `CREATE TABLE IF NOT EXISTS rowferry_truncated (
  pipeline varchar(128) NOT NULL,
  topic varchar(255) NOT NULL,
  source_table varchar(200) NOT NULL,
  epoch bigint NOT NULL,
  \`file\` bigint NOT NULL,
  \`end\` bigint NOT NULL,
  truncated_at datetime(3) NOT NULL,
  PRIMARY KEY (pipeline, topic, source_table)
) ${OPTIONS}`;

/** Two processes may do this at once: each CREATE is atomic and forgives that the table exists. */
export async function prepareMysqlTables(
  query: (sql: string) => Promise<MysqlResult>,
  control: ControlSql,
): Promise<void> {
  const comments = async (): Promise<(string | null)[]> => {
    const { rows } = await query(
      `SELECT TABLE_COMMENT AS comment FROM information_schema.TABLES
       WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('rowferry_watermark', 'rowferry_parked', 'rowferry_truncated')`,
    );
    return rows.map((row) => row['comment'] ?? null);
  };
  if ((await comments()).length < 3) {
    await query(WATERMARK);
    await query(PARKED);
    await query(TRUNCATED);
  }
  checkControlVersion(await comments());
  for (const probe of control.probes()) await query(probe);
  await query('ROLLBACK');
}
