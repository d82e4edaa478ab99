/** Which target tables of a source table hold rows that count as its own, whoever wrote them. */
import { rowsOf, tablesAt } from '../apply/routed-tables.ts';
import type { Config } from '../config/config.ts';
import { loadRoutes } from '../config/routes.ts';
import type { Log } from '../model/log.ts';
import { Router } from '../routing/router.ts';
import { MYSQL_ROWS } from '../targets/mysql-sql.ts';
import { POSTGRES_ROWS } from '../targets/postgres-sql.ts';
import { anyOfSql } from '../targets/truncation.ts';
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
      const dialect = target.kind === 'mysql' ? MYSQL_ROWS : POSTGRES_ROWS;
      for (const { route, paths } of await tablesAt(target, found)) {
        const mine = rowsOf(route);
        // Where nothing tells whose rows stand there, all of them may be.
        const only = mine === 'unknown' ? null : mine;
        for (const path of paths) {
          signal.throwIfAborted();
          const rows = await target.catalog((query) => query(anyOfSql({ table: path, only }, dialect)));
          if (rows.length > 0) occupied.push(`${target.name}: ${path}`);
        }
      }
    } finally {
      await target.close();
    }
  }
  return occupied;
}
