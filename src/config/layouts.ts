/** Where the rows of a table go by the configuration, for the command line. */
import { RowferryError } from '../errors.ts';
import type { Layout } from '../routing/layout.ts';
import { layoutsOf as copiesOf } from '../routing/router.ts';
import type { Config, RouteSettings } from './config.ts';
import { loadRoutes } from './routes.ts';

export interface RouteLayout {
  readonly route: RouteSettings;
  readonly layout: Layout;
}

/**
 * The layouts of all routes that take rows of `table`: a source table `schema.table`, or a table name at the targets. Throws
 * ROWFERRY_ROUTE_MISSING when there is none.
 */
export async function layoutsOf(config: Config, table: string): Promise<RouteLayout[]> {
  const dot = table.indexOf('.');
  const [schema, name] = dot < 0 ? ['', table] : [table.slice(0, dot), table.slice(dot + 1)];
  const found: RouteLayout[] = [];
  for (const { route, rule } of await loadRoutes(config)) {
    const groups = rule.takes(schema, name) ?? (route.to === table ? [] : undefined);
    if (groups === undefined) continue;
    const source = route.sources?.[0] ?? config.sources[0]?.name ?? '';
    for (const layout of copiesOf(rule, { source, schema, table: name, groups }))
      found.push({ route, layout });
  }
  if (found.length > 0) return found;
  throw new RowferryError('ROWFERRY_ROUTE_MISSING', `no route takes rows of ${table}`, {
    where: { table },
    hint: `routes take ${[...new Set(config.routes.map(({ from }) => from))].join(', ')}`,
  });
}
