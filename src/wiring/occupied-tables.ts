/** Which target tables of a source table hold rows, whoever wrote them. */
import { tablesAt } from '../apply/routed-tables.ts';
import type { Config } from '../config/config.ts';
import { loadRoutes } from '../config/routes.ts';
import type { Log } from '../model/log.ts';
import { Router } from '../routing/router.ts';
import { tablePath as mysqlPath } from '../targets/mysql-sql.ts';
import { tablePath as postgresPath } from '../targets/postgres-sql.ts';
import { makeTargets } from './apply-role.ts';

/** As `target: table`; `table` is `schema.name`. Throws what keeps a target from answering. */
export async function occupiedTables(
  config: Config,
  source: string,
  table: string,
  log: Log,
  signal: AbortSignal,
): Promise<string[]> {
  const routes = await loadRoutes(config);
  const names = config.targets.map(({ name }) => name);
  const rules = routes.map(({ rule, route }) => ({ ...rule, keysAreDisjoint: route.keysAreDisjoint }));
  const [schema = '', name = ''] = table.split('.');
  const found = new Router(rules, names).of(source).routes({ schema, name });
  const occupied: string[] = [];
  for (const target of makeTargets(config, log)) {
    try {
      for (const { paths } of await tablesAt(target, found)) {
        for (const path of paths) {
          signal.throwIfAborted();
          const quoted = target.kind === 'mysql' ? mysqlPath(path) : postgresPath(path);
          const rows = await target.catalog((query) => query(`SELECT 1 AS one FROM ${quoted} LIMIT 1`));
          if (rows.length > 0) occupied.push(`${target.name}: ${path}`);
        }
      }
    } finally {
      await target.close();
    }
  }
  return occupied;
}
