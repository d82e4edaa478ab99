/** The types that an operator gives to columns: those of the configuration, and on top of them those of the command line. */
import type { Config } from '../config/config.ts';
import type { LoadedRoute } from '../config/routes.ts';
import { suggest } from '../model/suggest.ts';
import { RowferryError } from '../errors.ts';
import { takenAs } from '../routing/router.ts';
import type { Catalog } from '../schema/catalog.ts';
import { isForOneColumn, unusedOverrides } from '../schema/column-context.ts';
import type { NamedColumns } from '../schema/column-context.ts';
import type { TypeOverride } from '../schema/planned.ts';

/**
 * All of them, the last of which counts. A type for one column that nobody has would leave the default in force unnoticed: a
 * plan refuses it (ROWFERRY_CONFIG_INVALID), a comparison tells it and goes on. A pattern may well match nothing yet.
 */
export function givenTypes(
  { schema }: Pick<Config, 'schema'>,
  more: Readonly<Record<string, string>>,
  tables: readonly NamedColumns[],
  lost: 'refuse' | 'tell',
  warn: (line: string) => void = () => undefined,
): TypeOverride[] {
  const given = Object.entries(more).map(([column, type]) => ({ column, type, place: '--type' }));
  const all = [...schema.types, ...given];
  const unused = unusedOverrides(all, tables);
  const refused = lost === 'refuse' ? unused.filter(isForOneColumn) : [];
  if (refused.length > 0) {
    const lines = refused.map((override) => unusedText(override, tables));
    throw new RowferryError('ROWFERRY_CONFIG_INVALID', lines.join('\n'), {
      hint: 'correct the name, or take the line out when the column is gone',
    });
  }
  for (const override of unused) warn(unusedText(override, tables));
  return all;
}

/** Every captured table with its columns and those that routes add. */
export function namedColumns(
  routes: readonly LoadedRoute[],
  catalogs: ReadonlyMap<string, Catalog>,
): NamedColumns[] {
  return [...catalogs].flatMap(([source, { tables }]) =>
    tables.map((table) => {
      const added = routes
        .filter(({ rule }) => takenAs(rule, source, table) !== undefined)
        .flatMap(({ rule: { columns } }) =>
          [...Object.keys(columns?.add ?? {}), columns?.origin ?? []].flat(),
        );
      return { table, columns: [...table.columns.map(({ name }) => name), ...added] };
    }),
  );
}

function unusedText({ column, place }: TypeOverride, tables: readonly NamedColumns[]): string {
  const [, engine = '', name = ''] = /^((?:mysql|postgres):)?(.*)$/s.exec(column) ?? [];
  const known = tables.flatMap(({ table, columns }) =>
    columns.map((other) => `${table.schema}.${table.name}.${other}`),
  );
  const meant = /[*?/]/.test(name) ? undefined : suggest(name, known);
  return `${place}: ${column} names no column of a captured table${meant === undefined ? '' : `; did you mean ${engine}${meant}?`}`;
}
