/** Steps of `evolve.ts` as SQL. Pure. */
import { tablePath as mysqlPath } from '../targets/mysql-sql.ts';
import { name as postgresName, tablePath as postgresPath } from '../targets/postgres-sql.ts';
import { convertForMysql } from './convert-mysql-column.ts';
import type { TargetStep } from './evolve.ts';
import { columnSql, indexSql as mysqlIndexSql } from './mysql-ddl.ts';
import type { PlannedColumn, TargetTraits } from './planned.ts';
import { indexSql as postgresIndexSql, labelCheck, own, postgresDdl } from './postgres-ddl.ts';

/**
 * The statements of one step, each complete in itself. No lock is asked for: the server takes the least that it needs, and the
 * source did the same before.
 */
export function evolveSql(path: string, step: TargetStep, traits: TargetTraits): readonly string[] {
  return traits.engine === 'mysql' ? mysqlSql(path, step, traits) : postgresSql(path, step);
}

type Widening = Extract<TargetStep, { readonly kind: 'widen column' }>;

function mysqlSql(
  path: string,
  step: TargetStep,
  traits: Extract<TargetTraits, { readonly engine: 'mysql' }>,
): readonly string[] {
  const alter = `ALTER TABLE ${mysqlPath(path)}`;
  switch (step.kind) {
    case 'add column':
      return [`${alter} ADD COLUMN ${columnSql(step.column)}`];
    case 'add index':
      return [`${alter} ADD ${mysqlIndexSql(step.index)}`];
    case 'widen column':
      return [`${alter} MODIFY COLUMN ${modifiedSql(step, traits)}`];
  }
}

/** MODIFY forgets whatever it does not say: the column as the target has it, with room. */
function modifiedSql(
  { column, type, collation, nullable }: Widening,
  traits: Extract<TargetTraits, { readonly engine: 'mysql' }>,
): string {
  const { catalog } = column;
  if (catalog === null) throw new TypeError('a MySQL column without its catalog entry');
  const source = { ...catalog, type: type ?? catalog.type, nullable };
  const kept = convertForMysql({ name: catalog.name, source, how: 'raw', type: source.type }, traits, {
    sourceFlavour: traits.flavour,
    inKey: false,
    inUniqueKey: false,
    override: undefined,
    about: catalog.name,
    keepsCounter: true,
    keepsExpressions: true,
    note: () => {},
  });
  const planned: PlannedColumn | null =
    kept === null ? null : { ...kept, collation: collation ?? catalog.collation };
  if (planned === null) throw new TypeError(`no form for a column of type ${source.type}`);
  const now = catalog.default?.kind === 'now' ? catalog.default.digits : 0;
  const update = catalog.onUpdateNow ? ` ON UPDATE CURRENT_TIMESTAMP(${now})` : '';
  return columnSql(planned) + update;
}

function postgresSql(path: string, step: TargetStep): readonly string[] {
  switch (step.kind) {
    case 'add column':
      return postgresDdl.addColumn({ path }, step.column);
    case 'add index':
      return [postgresIndexSql({ path }, step.index, 'INDEX')];
    case 'widen column': {
      const { column, type, nullable, labels } = step;
      const named = `ALTER COLUMN ${postgresName(column.name)}`;
      const parts = [
        // TYPE forgets the collation that it does not say.
        ...(type === null
          ? []
          : [`${named} TYPE ${type}${column.collate === undefined ? '' : ` COLLATE ${column.collate}`}`]),
        ...(nullable && !column.nullable ? [`${named} DROP NOT NULL`] : []),
        ...(labels === null ? [] : [`DROP CONSTRAINT ${own(path, `${column.name}_check`)}`]),
        ...labelCheck(path, { name: column.name, type: type ?? column.type, labels }).map(
          (check) => `ADD ${check} NOT VALID`,
        ),
      ];
      return [`ALTER TABLE ${postgresPath(path)} ${parts.join(', ')}`];
    }
  }
}
