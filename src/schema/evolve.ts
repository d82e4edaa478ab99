/**
 * What a target table lacks for an additive change of its source table (`model/schema-change.ts`), by one route. Pure.
 *
 * It compares and never remembers: what is planned anew after the steps were taken is nothing, so that a crash between a step
 * and the commit behind it, another process that does the same and a repeated marker do no harm.
 */
import type { AdditiveStep, ColumnDefinition, IndexDefinition } from '../model/schema-change.ts';
import type { ActualColumn, ActualTable } from './actual.ts';
import type { CatalogColumn } from './catalog.ts';
import { collationTraits } from './collation.ts';
import { bareColumn, evolvedColumn } from './evolve-column.ts';
import type { EvolvedColumn, EvolveRoute } from './evolve-column.ts';
import { holdsFormer } from './evolve-room.ts';
import { mapColumn } from './map-columns.ts';
import type { PlannedColumn, PlannedIndex, PlannedPart, TargetTraits } from './planned.ts';
import { partsText } from './planned.ts';
import { own } from './postgres-ddl.ts';
import { defaultsDiffer } from './same-default.ts';
import { fitOf } from './type-room.ts';

/** A target table as it is, with what a change of it has to keep. */
export interface EvolveTable extends Pick<ActualTable, 'primaryKey' | 'uniqueKeys' | 'indexes'> {
  /** `orders_00`, or `app.orders` in a schema of its own. */
  readonly path: string;
  readonly columns: readonly EvolveColumn[];
  /** Names that an index cannot take, in lower case. */
  readonly indexNames: ReadonlySet<string>;
}

export interface EvolveColumn extends ActualColumn {
  /** MySQL: all that MODIFY has to say again. */
  readonly catalog: CatalogColumn | null;
  /** Its default as SQL, null for none; absent where that is not known. */
  readonly default?: string | null;
  /** PostgreSQL: the collation that TYPE has to say again, as SQL; absent for the type's own. */
  readonly collate?: string;
}

export type TargetStep =
  | { readonly kind: 'add column'; readonly column: PlannedColumn }
  /** `type` and `labels` are null where they stay. */
  | {
      readonly kind: 'widen column';
      readonly column: EvolveColumn;
      readonly type: string | null;
      readonly collation: string | null;
      readonly nullable: boolean;
      readonly labels: readonly string[] | null;
    }
  | { readonly kind: 'add index'; readonly index: PlannedIndex };

export interface EvolvePlan {
  readonly steps: readonly TargetStep[];
  /** What an operator has to do by hand: column and reason. */
  readonly problems: readonly { readonly column: string; readonly what: string }[];
}

export function planEvolution(
  steps: readonly AdditiveStep[],
  route: EvolveRoute,
  traits: TargetTraits,
  table: EvolveTable,
): EvolvePlan {
  const planned: TargetStep[] = [];
  const problems: { readonly column: string; readonly what: string }[] = [];
  const sameName = nameEquality(traits.engine);
  for (const step of steps) {
    if (step.kind === 'add index') {
      const index = plannedIndex(step.index, route, traits, table, planned);
      if (index !== undefined) planned.push({ kind: 'add index', index });
      continue;
    }
    const inKey = (name: string): boolean => table.primaryKey.some((key) => sameName(key, name));
    const name = mappedName(step.column, route);
    if (name === undefined) continue;
    const evolved = evolvedColumn(step.column, route, traits, inKey(name));
    if (evolved === undefined) continue;
    const column = evolved.planned;
    const actual = table.columns.find((found) => sameName(found.name, column.name));
    const answer =
      actual === undefined
        ? missing(step, evolved)
        : (otherDefault(step, evolved, actual) ??
          widened(traits.engine, step.column, column, actual, inKey(name)));
    if (typeof answer === 'string') problems.push({ column: column.name, what: answer });
    else if (answer !== undefined) planned.push(answer);
  }
  return { steps: planned, problems };
}

function nameEquality(engine: 'mysql' | 'postgres'): (a: string, b: string) => boolean {
  return engine === 'mysql' ? (a, b) => a.toLowerCase() === b.toLowerCase() : (a, b) => a === b;
}

function mappedName(definition: Pick<ColumnDefinition, 'name'>, route: EvolveRoute): string | undefined {
  return mapColumn(bareColumn(definition.name, 'int'), route.columns, route.names)?.name;
}

/** Only a statement that made the column knows what rows that are there hold. */
function missing(
  step: AdditiveStep,
  { planned, lacksDefault: lacks }: EvolvedColumn,
): TargetStep | string | undefined {
  if (step.kind !== 'add column') return undefined;
  if (lacks !== null) return `is missing, and ${lacks}`;
  return { kind: 'add column', column: planned };
}

/** Somebody made the column before: its rows, and those of the old shape that are on their way, get its default and not the source's. */
function otherDefault(
  step: AdditiveStep,
  { planned, lacksDefault: untold }: EvolvedColumn,
  actual: EvolveColumn,
): string | undefined {
  if (step.kind !== 'add column' || actual.generated || untold !== null) return undefined;
  if (planned.default !== null && !actual.hasDefault)
    return 'is there without the default by which rows that were there got a value at the source: fill them and set it';
  const { default: found } = actual;
  if (found === undefined || !defaultsDiffer(planned.from, planned.default, found)) return undefined;
  const due = planned.default ?? 'NULL';
  return (
    `is there with the default ${found ?? 'NULL'}, and rows that were there got ${due} at the source: ` +
    `give them that, and the column that default until every partition has passed`
  );
}

function widened(
  engine: 'mysql' | 'postgres',
  definition: ColumnDefinition,
  planned: PlannedColumn,
  actual: EvolveColumn,
  inKey: boolean,
): TargetStep | string | undefined {
  if (actual.generated) return undefined;
  const missingLabels = (planned.labels ?? []).some((label) => actual.labels?.includes(label) === false);
  const hasRoom = actual.type === planned.type || fitOf(engine, planned.from, actual.type) === 'fits';
  const collation = widerCharset(definition, planned, actual);
  const nullable = planned.nullable && !actual.nullable && !inKey;
  if (hasRoom && !missingLabels && !nullable && collation === null) return undefined;
  if (!hasRoom && !holdsFormer(engine, actual.type, planned.type))
    return `is ${actual.type}, which has no room for ${planned.from} and cannot become ${planned.type} without a loss`;
  const labels = missingLabels ? [...new Set([...(actual.labels ?? []), ...(planned.labels ?? [])])] : null;
  return {
    kind: 'widen column',
    column: actual,
    type: hasRoom ? null : planned.type,
    collation,
    nullable: actual.nullable || nullable,
    labels,
  };
}

/** The collation by which a MySQL column gets the letters that it has no room for; null when it has them. */
function widerCharset(
  definition: ColumnDefinition,
  planned: PlannedColumn,
  { catalog }: EvolveColumn,
): string | null {
  if (catalog?.charset === undefined || catalog.charset === null || planned.collation === null) return null;
  const isWider = definition.charset === 'utf8mb4' && catalog.charset !== 'utf8mb4';
  return isWider && collationTraits(planned.collation).charset === 'utf8mb4' ? planned.collation : null;
}

function plannedIndex(
  definition: IndexDefinition,
  route: EvolveRoute,
  traits: TargetTraits,
  table: EvolveTable,
  before: readonly TargetStep[],
): PlannedIndex | undefined {
  const sameName = nameEquality(traits.engine);
  const typeOf = (name: string): string | undefined =>
    table.columns.find((column) => sameName(column.name, name))?.type ??
    before.flatMap((step) => (step.kind === 'add column' && sameName(step.column.name, name) ? [step.column.type] : []))[0]; // prettier-ignore
  const parts: PlannedPart[] = [];
  for (const part of definition.parts) {
    const mapped = mapColumn(bareColumn(part.column, 'int'), route.columns, route.names);
    const type = mapped === undefined ? undefined : typeOf(mapped.name);
    // An index is a help and no data: where not all of its columns are, there is none.
    if (mapped === undefined || type === undefined) return undefined;
    const prefix = mapped.how === 'hash' ? null : part.prefix;
    if (prefix !== null && traits.engine === 'postgres' && !/^(?:text|character)/.test(type))
      return undefined;
    parts.push({ column: mapped.name, prefix, descending: part.descending, expression: null });
  }
  const [first] = parts;
  if (first === undefined) return undefined;
  const text = (those: readonly PlannedPart[]): string => partsText(those).toLowerCase();
  const wanted = text(parts);
  const paths = [
    table.primaryKey.join(', ').toLowerCase(),
    ...[...table.uniqueKeys, ...table.indexes].map(text),
    ...before.flatMap((step) => (step.kind === 'add index' ? [text(step.index.parts)] : [])),
  ];
  if (paths.some((path) => path === wanted || path.startsWith(`${wanted}, `))) return undefined;
  const planned = before.flatMap((step) =>
    step.kind === 'add index' ? [step.index.name.toLowerCase()] : [],
  );
  const isTaken = (name: string): boolean =>
    planned.includes(name.toLowerCase()) ||
    table.indexNames.has(shownName(traits.engine, table.path, name).toLowerCase());
  return { name: freeName(definition.name ?? first.column ?? 'by', isTaken), kind: 'btree', parts };
}

/** Names of indexes are one space for a schema at PostgreSQL, so that the table's name leads them there. */
function shownName(engine: 'mysql' | 'postgres', path: string, name: string): string {
  return engine === 'mysql' ? name : own(path, name).slice(1, -1).replaceAll('""', '"');
}

function freeName(wanted: string, isTaken: (name: string) => boolean): string {
  if (!isTaken(wanted)) return wanted;
  for (let number = 2; ; number++) {
    if (!isTaken(`${wanted}_${number}`)) return `${wanted}_${number}`;
  }
}
