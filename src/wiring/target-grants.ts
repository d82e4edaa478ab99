/** What an account lacks at a target for more than rows: to make tables, and to follow changes of the source's tables. */
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
  /** Physical tables that follow additive statements, and those that follow TRUNCATE. */
  readonly changed: ReadonlySet<string>;
  readonly emptied: ReadonlySet<string>;
}

/** Sentences, each with the statement that mends it. `areMissing` says that `schema apply` has tables to make. */
export async function lackingGrants(
  target: Pick<TargetSettings, 'name' | 'url'>,
  sources: readonly SourceSettings[],
  captured: Captured,
  routes: readonly LoadedRoute[],
  areMissing: boolean,
): Promise<string[]> {
  const needs = needsOf(target.name, sources, captured, routes);
  if (!areMissing && needs.changed.size + needs.emptied.size === 0) return [];
  return await withTarget(target, async (session) =>
    session.engine === 'mysql'
      ? await lackingMysql(session, target.url.database, needs, areMissing)
      : await lackingPostgres(session, needs, areMissing),
  );
}

function needsOf(
  target: string,
  sources: readonly SourceSettings[],
  captured: Captured,
  routes: readonly LoadedRoute[],
): Needs {
  const [changed, emptied] = [new Set<string>(), new Set<string>()];
  for (const { name: source, ddl, truncate } of sources) {
    for (const table of captured.get(source) ?? []) {
      for (const { rule } of routes) {
        const names = takenAs(rule, source, table);
        if (names === undefined) continue;
        const places = placesNow(rule, names, 'present', Date.now());
        for (const place of places.filter((one) => one.target === target)) {
          if (ddl === 'apply') changed.add(place.table);
          if (truncate === 'apply') emptied.add(place.table);
        }
      }
    }
  }
  return { changed, emptied };
}

const FOLLOW = '`ddl: apply` cannot follow columns and indexes that are added at the source';
const EMPTY = '`truncate: apply` cannot follow TRUNCATE';
const MAKE = '`rowferry schema apply` cannot make the missing tables';

async function lackingMysql(
  session: SchemaSession,
  database: string,
  { changed, emptied }: Needs,
  areMissing: boolean,
): Promise<string[]> {
  const grants = await readMysqlGrants((sql) => session.query(sql));
  const [row] = await session.query('SELECT CURRENT_USER() AS account');
  const account = row?.['account'] ?? '';
  const at = account.lastIndexOf('@');
  const to = `${quoteName(account.slice(0, at))}@${quoteName(account.slice(at + 1))}`;
  const told = (privileges: readonly string[], tables: ReadonlySet<string>, why: string): string[] => {
    // Granted for the database, or for each table by itself.
    const lacks = privileges.filter(
      (privilege) =>
        grants.lacking([privilege], database).length > 0 &&
        (tables.size === 0 ||
          [...tables].some((table) => grants.lacking([privilege], database, table).length > 0)),
    );
    if (lacks.length === 0) return [];
    return [
      `${account} lacks ${lacks.join(', ')}: ${why} -> GRANT ${lacks.join(', ')} ON ${quoteName(database)}.* TO ${to};`,
    ];
  };
  const none = new Set<string>();
  return [
    ...(areMissing ? told(['CREATE'], none, MAKE) : []),
    ...(changed.size > 0 ? told(['ALTER', 'CREATE', 'INSERT', 'INDEX'], changed, FOLLOW) : []),
    ...(emptied.size > 0 ? told(['DROP'], emptied, EMPTY) : []),
  ];
}

async function lackingPostgres(
  session: SchemaSession,
  { changed, emptied }: Needs,
  areMissing: boolean,
): Promise<string[]> {
  const [who] = await session.query(
    `SELECT current_user AS role, current_schema() AS schema,
            has_schema_privilege(current_schema(), 'CREATE')::text AS may_create`,
  );
  const tables = await session.query(
    `SELECT c.relname AS name, pg_has_role(c.relowner, 'USAGE')::text AS owns,
            has_table_privilege(c.oid, 'TRUNCATE')::text AS may_truncate
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')`,
  );
  const role = who?.['role'] ?? '';
  const schema = who?.['schema'] ?? '';
  const named = (wanted: ReadonlySet<string>, may: string): string[] =>
    tables
      .filter((row) => row[may] !== 'true')
      .map((row) => row['name'] ?? '')
      .filter((name) => wanted.has(name));
  const [foreign, kept] = [named(changed, 'owns'), named(emptied, 'may_truncate')];
  return [
    ...(areMissing && who?.['may_create'] !== 'true'
      ? [
          `${role} lacks CREATE on schema ${schema}: ${MAKE} -> GRANT CREATE ON SCHEMA ${postgresName(schema)} TO ${postgresName(role)};`,
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
