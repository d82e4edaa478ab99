/** The layouts of a table for verbs that look at rules: chosen by `--route`, errors with what there is. */
import { Option } from 'commander';
import type { Config } from '../config/config.ts';
import { layoutsOf } from '../config/layouts.ts';
import type { RouteLayout } from '../config/layouts.ts';
import { RowferryError } from '../errors.ts';

/** `--route <target table>`, for tables that several routes take rows of. */
export function routeOption(): Option {
  return new Option('--route <target table>', 'only the route that writes this table');
}

/** The layouts of all routes of a table, or of the one asked for. Throws as `layoutsOf` does. */
export async function chosenLayouts(
  config: Config,
  table: string,
  route: string | undefined,
): Promise<readonly RouteLayout[]> {
  const all = await layoutsOf(config, table);
  const chosen = all.filter(({ layout }) => route === undefined || layout.spec.to === route);
  if (chosen.length > 0) return chosen;
  throw new RowferryError('ROWFERRY_ROUTE_MISSING', `no route of ${table} writes ${route ?? ''}`, {
    where: { table },
    hint: `its routes write ${[...new Set(all.map(({ layout }) => layout.spec.to))].join(', ')}`,
  });
}
