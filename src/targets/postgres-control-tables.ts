/** Creates the control tables in PostgreSQL, in the first schema of the search path. */
import type { PostgresResult } from '../drivers/postgres.ts';
import type { ControlSql } from './control-sql.ts';
import { checkControlVersion, CONTROL_COMMENT } from './control-sql.ts';
import { quote } from './postgres-sql.ts';

/** Any number that nobody else takes for an advisory lock. */
const LOCK = 7_220_195_341;

const CREATE = `
  CREATE TABLE IF NOT EXISTS rowferry_watermark (
    pipeline text NOT NULL,
    topic text NOT NULL,
    "partition" integer NOT NULL,
    owner bigint NOT NULL,
    next bigint NOT NULL,
    planned_end bigint,
    epoch bigint NOT NULL,
    file bigint NOT NULL,
    "end" bigint NOT NULL,
    half bigint NOT NULL,
    source_time_ms bigint,
    write_id text,
    updated_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (pipeline, topic, "partition")
  ) WITH (fillfactor = 50);
  CREATE TABLE IF NOT EXISTS rowferry_parked (
    pipeline text NOT NULL,
    topic text NOT NULL,
    "partition" integer NOT NULL,
    target_table text NOT NULL,
    key_hash text NOT NULL,
    row_key text NOT NULL,
    source_table text NOT NULL,
    source_shape text NOT NULL,
    image text NOT NULL,
    epoch bigint NOT NULL,
    file bigint NOT NULL,
    "end" bigint NOT NULL,
    half bigint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    attempts integer NOT NULL,
    parked_at timestamp(3) NOT NULL,
    PRIMARY KEY (pipeline, topic, "partition", target_table, key_hash)
  );
  CREATE TABLE IF NOT EXISTS rowferry_truncated (
    pipeline text NOT NULL,
    topic text NOT NULL,
    source_table text NOT NULL,
    epoch bigint NOT NULL,
    file bigint NOT NULL,
    "end" bigint NOT NULL,
    truncated_at timestamp(3) NOT NULL,
    PRIMARY KEY (pipeline, topic, source_table)
  );
  CREATE INDEX IF NOT EXISTS rowferry_parked_by_table ON rowferry_parked (target_table);
  COMMENT ON TABLE rowferry_watermark IS ${quote(CONTROL_COMMENT)};
  COMMENT ON TABLE rowferry_parked IS ${quote(CONTROL_COMMENT)};
  COMMENT ON TABLE rowferry_truncated IS ${quote(CONTROL_COMMENT)}`;

/** Two processes may do this at once: CREATE TABLE IF NOT EXISTS alone can still collide, so they take turns. */
export async function preparePostgresTables(
  query: (text: string) => Promise<PostgresResult>,
  control: ControlSql,
): Promise<void> {
  const comments = async (): Promise<(string | null)[]> => {
    const { rows } = await query(
      `SELECT obj_description(c.oid, 'pg_class') AS comment FROM pg_class c
       WHERE c.oid IN (to_regclass('rowferry_watermark'), to_regclass('rowferry_parked'),
                      to_regclass('rowferry_truncated'))`,
    );
    return rows.map((row) => row['comment'] ?? null);
  };
  // Tables of an earlier rowferry may lack the youngest; those of a later one must not be given our comment.
  const found = await comments();
  checkControlVersion(found);
  if (found.length < 3) {
    await query('BEGIN');
    await query(`SELECT pg_advisory_xact_lock(${LOCK})`);
    // While we waited someone else may have made them.
    if ((await comments()).length < 3) await query(CREATE);
    await query('COMMIT');
  }
  checkControlVersion(await comments());
  await query('BEGIN');
  for (const probe of control.probes()) await query(probe);
  await query('ROLLBACK');
}
