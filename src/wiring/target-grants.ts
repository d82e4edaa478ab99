/** What an account lacks at a target: for rows, to make tables, and to follow changes of the source's tables. */
import type { SourceSettings, TargetSettings } from '../config/config.ts';
import type { LoadedRoute } from '../config/routes.ts';
import { quoteName } from '../model/mysql-literals.ts';
import { readMysqlGrants } from '../model/mysql-grants.ts';
import type { Table } from '../model/table.ts';
import { takenAs } from '../routing/router.ts';
import type { SchemaSession } from '../schema/history.ts';
import { listed } from '../schema/listed.ts';
import { name as postgresName } from '../targets/postgres-sql.ts';
import { withTarget } from './schema-links.ts';
import { placesNow } from './target-tables.ts';

type Captured = ReadonlyMap<string, readonly Table[]>;

/** What the sources' settings may ask of tables of one target. */
interface Needs {
  /** Physical tables whose rows are written. */
  readonly written: ReadonlySet<string>;
  /** Those that follow additive statements, and those that follow TRUNCATE. */
  readonly changed: ReadonlySet<string>;
  readonly emptied: ReadonlySet<string>;
}

export interface TargetState {
  /** Rowferry's own tables are there, and may be written. */
  readonly isOpen: boolean;
  /** `schema apply` has tables to make. */
  readonly areMissing: boolean;
}

/** Every grant that the account lacks: sentences, each with the statement that mends it. */
export async function lackingGrants(
  target: Pick<TargetSettings, 'name' | 'url'>,
  sources: readonly SourceSettings[],
  captured: Captured,
  routes: readonly LoadedRoute[],
  state: TargetState,
): Promise<string[]> {
  const needs = needsOf(target.name, sources, captured, routes);
  return await withTarget(target, async (session) =>
    session.engine === 'mysql'
      ? await lackingMysql(session, target.url.database, needs, state)
      : await lackingPostgres(session, needs, state),
  );
}

function needsOf(
  target: string,
  sources: readonly SourceSettings[],
  captured: Captured,
  routes: readonly LoadedRoute[],
): Needs {
  const [written, changed, emptied] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const { name: source, ddl, truncate } of sources) {
    for (const table of captured.get(source) ?? []) {
      for (const { rule } of routes) {
        const names = takenAs(rule, source, table);
        if (names === undefined) continue;
        const places = placesNow(rule, names, 'present', Date.now());
        for (const place of places.filter((one) => one.target === target)) {
          written.add(place.table);
          if (ddl === 'apply') changed.add(place.table);
          if (truncate === 'apply') emptied.add(place.table);
        }
      }
    }
  }
  return { written, changed, emptied };
}

const OWN = 'rowferry’s own tables cannot be made';
const WRITE = 'rows cannot be written';
const WRITING = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
/** What opening a target looks at by itself. */
const OWN_TABLES = ['rowferry_watermark', 'rowferry_parked', 'rowferry_truncated'];

const FOLLOW = '`ddl: apply` cannot follow columns and indexes that are added at the source';
const EMPTY = '`truncate: apply` cannot follow TRUNCATE';
const MAKE = '`rowferry schema apply` cannot make the missing tables';

async function lackingMysql(
  session: SchemaSession,
  database: string,
  { written, changed, emptied }: Needs,
  { isOpen, areMissing }: TargetState,
): Promise<string[]> {
  const grants = await readMysqlGrants((sql) => session.query(sql));
  const [row] = await session.query('SELECT CURRENT_USER() AS account');
  const account = row?.['account'] ?? '';
  const at = account.lastIndexOf('@');
  const to = `${quoteName(account.slice(0, at))}@${quoteName(account.slice(at + 1))}`;
  /** A table of another database has that before its name. */
  const has = (privilege: string, path: string): boolean => {
    const at = path.indexOf('.');
    const schema = at < 0 ? database : path.slice(0, at);
    return grants.lacking([privilege], schema, path.slice(at + 1)).length === 0;
  };
  const told = (privileges: readonly string[], tables: ReadonlySet<string>, why: string): string[] => {
    // Granted for the database, or for each table by itself.
    const lacks = privileges.filter(
      (privilege) =>
        grants.lacking([privilege], database).length > 0 &&
        (tables.size === 0 || [...tables].some((table) => !has(privilege, table))),
    );
    if (lacks.length === 0) return [];
    return [
      `${account} lacks ${lacks.join(', ')}: ${why} -> GRANT ${lacks.join(', ')} ON ${quoteName(database)}.* TO ${to};`,
    ];
  };
  const none = new Set<string>();
  const rows = isOpen ? written : new Set([...OWN_TABLES, ...written]);
  return [
    ...(isOpen ? [] : told(['CREATE'], none, OWN)),
    ...(rows.size > 0 ? told(WRITING, rows, WRITE) : []),
    ...(areMissing ? told(['CREATE'], none, MAKE) : []),
    ...(changed.size > 0 ? told(['ALTER', 'CREATE', 'INSERT', 'INDEX'], changed, FOLLOW) : []),
    ...(emptied.size > 0 ? told(['DROP'], emptied, EMPTY) : []),
  ];
}

async function lackingPostgres(
  session: SchemaSession,
  { written, changed, emptied }: Needs,
  { isOpen, areMissing }: TargetState,
): Promise<string[]> {
  const [who] = await session.query(
    `SELECT current_user AS role, current_schema() AS schema,
            has_schema_privilege(current_schema(), 'CREATE')::text AS may_create,
            current_setting('search_path') AS path`,
  );
  const tables = await session.query(
    `SELECT c.relname AS name, pg_has_role(c.relowner, 'USAGE')::text AS owns,
            has_table_privilege(c.oid, 'TRUNCATE')::text AS may_truncate,
            ${WRITING.map((one) => `has_table_privilege(c.oid, '${one}')::text AS may_${one.toLowerCase()}`).join(', ')}
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')`,
  );
  const role = who?.['role'] ?? '';
  const schema = who?.['schema'] ?? null;
  // The server passes over the schemas of the search path that an account may not use.
  if (schema === null)
    return [
      `${role} may use no schema of its search_path (${who?.['path'] ?? ''}): ${OWN} -> GRANT CREATE, USAGE ON SCHEMA … TO ${postgresName(role)};`,
    ];
  const named = (wanted: ReadonlySet<string>, may: string): string[] =>
    tables
      .filter((row) => row[may] !== 'true')
      .map((row) => row['name'] ?? '')
      .filter((name) => wanted.has(name));
  const mayNotWrite = WRITING.filter(
    (one) =>
      named(isOpen ? written : new Set([...OWN_TABLES, ...written]), `may_${one.toLowerCase()}`).length > 0,
  );
  const [foreign, kept] = [named(changed, 'owns'), named(emptied, 'may_truncate')];
  return [
    ...(mayNotWrite.length === 0
      ? []
      : [
          `${role} lacks ${mayNotWrite.join(', ')} on tables: ${WRITE} -> GRANT ${mayNotWrite.join(', ')} ON ALL TABLES IN SCHEMA ${postgresName(schema)} TO ${postgresName(role)};`,
        ]),
    ...((areMissing || !isOpen) && who?.['may_create'] !== 'true'
      ? [
          `${role} lacks CREATE on schema ${schema}: ${isOpen ? MAKE : OWN} -> GRANT CREATE ON SCHEMA ${postgresName(schema)} TO ${postgresName(role)};`,
        ]
      : []),
    ...(foreign.length === 0
      ? []
      : [
          `${role} does not own ${listed(foreign, 'tables')}: ${FOLLOW} -> ALTER TABLE … OWNER TO ${postgresName(role)}; or make it a member of their owner`,
        ]),
    ...(kept.length === 0
      ? []
      : [
          `${role} lacks TRUNCATE on ${listed(kept, 'tables')}: ${EMPTY} -> GRANT TRUNCATE ON ALL TABLES IN SCHEMA ${postgresName(schema)} TO ${postgresName(role)};`,
        ]),
  ];
}
