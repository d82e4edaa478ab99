/**
 * Where rows live: source table + rules -> target, table and columns. Pure; shared by apply, the CLI and applications.
 *
 * A *placement* is one route's answer for one table shape: for each row exactly one place. A source table with several routes
 * (or one route to several targets without shards) has several placements, each a layout of its own in which a row has one
 * place (I-6).
 */
import { RowferryError } from '../errors.ts';
import type { Row, Table } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import { parseSourceType } from '../model/values.ts';
import type { ColumnSpec, MappedTable, Names } from './columns.ts';
import { fillNames, mapTable, unmapped } from './columns.ts';
import type { Decoders, LayoutSpec } from './layout.ts';
import { Layout, STAYS } from './layout.ts';
import type { RouteKey } from './rule.ts';

/** One route of the configuration. */
export interface RouteRule {
  /** Answers the groups of its pattern for a table that it takes, undefined for others. */
  readonly takes: (schema: string, table: string) => readonly string[] | undefined;
  /** Sources whose rows it takes; null for all. */
  readonly sources: readonly string[] | null;
  /** Target table; may hold `{source}`, `{schema}`, `{table}` and groups of `takes` as `{1}`. */
  readonly to: string;
  /** Several targets with `shards` null: a copy for each of them. */
  readonly layout: Omit<LayoutSpec, 'to'>;
  readonly columns: ColumnSpec | null;
  /** Source tables that meet in a target table are kept apart by nothing but what their keys happen to be. */
  readonly keysAreDisjoint?: boolean;
}

/** What `Placement.place` answers for a row that no target holds. */
export const NOWHERE = -1;

/** A physical table of a target. */
export interface RouterPlace {
  /** Index into the router's targets. */
  readonly target: number;
  readonly table: string;
}

/** One layout of one source table shape: pure and exact. */
export interface Placement extends MappedTable {
  /** Stable name of layout and source table: two shapes of one table share it, so that changes to one row fold together. */
  readonly id: number;
  /** Index into the router's places of the table that the row belongs to, or NOWHERE. Throws ROWFERRY_ROUTE_KEY. */
  readonly place: (row: Row) => number;
}

/** One route for one source table, whatever its shape; the layout names the physical tables. */
export interface TableRoute {
  readonly layout: Layout;
  readonly columns: ColumnSpec | null;
  readonly names: Names;
  /** Rows of other source tables may stand in the same physical tables, with nothing that tells whose they are. */
  readonly isMixed: boolean;
}

/** The routes as one source's rows see them. */
export interface SourceRouter {
  readonly places: readonly RouterPlace[];
  /** The placements of a table shape, made once per shape. Throws ROWFERRY_ROUTE_MISSING, _KEY and _COLUMNS. */
  placements(table: Table): readonly Placement[];
  /** Every route of a source table; empty when there is none. */
  routes(table: { readonly schema: string; readonly name: string }): readonly TableRoute[];
}

interface Copy {
  /** By the names of the key's columns: rows of one table that are told apart by other columns are other rows. */
  readonly ids: Map<string, number>;
  /** What each column that decides about places or keys held when it was first met. */
  readonly forms: Map<string, string>;
  readonly layout: Layout;
  readonly rule: RouteRule;
  readonly names: Names;
  /** Place of each cell of the layout; filled when a row is met. */
  readonly placeOfCell: number[];
}

export class Router {
  /** Names of all targets that any route uses, in configuration order: places name them by index. */
  readonly targets: readonly string[];
  readonly #rules: readonly RouteRule[];
  readonly #places: RouterPlace[] = [];
  readonly #sources = new Map<string, SourceRouter>();
  #copies = 0;

  constructor(rules: readonly RouteRule[], targets: readonly string[]) {
    this.#rules = rules;
    this.targets = targets;
  }

  of(source: string): SourceRouter {
    let router = this.#sources.get(source);
    if (router === undefined) this.#sources.set(source, (router = this.#routerOf(source)));
    return router;
  }

  #routerOf(source: string): SourceRouter {
    const copies = new Map<string, readonly Copy[]>();
    const placements = new WeakMap<Table, readonly Placement[]>();
    return {
      places: this.#places,
      placements: (table) => {
        let found = placements.get(table);
        if (found !== undefined) return found;
        const name = tableName(table);
        let known = copies.get(name);
        if (known === undefined) copies.set(name, (known = this.#copiesOf(source, table)));
        found = known.map((copy) => this.#placement(copy, table));
        placements.set(table, found);
        return found;
      },
      routes: (table) =>
        this.#layouts(source, table).map(({ layout, rule, names }) => ({
          layout,
          columns: rule.columns,
          names,
          isMixed: rule.keysAreDisjoint === true && rule.columns?.origin === undefined,
        })),
    };
  }

  #layouts(
    source: string,
    table: { readonly schema: string; readonly name: string },
  ): Pick<Copy, 'layout' | 'rule' | 'names'>[] {
    return this.#rules.flatMap((rule) => {
      const names = takenAs(rule, source, table);
      if (names === undefined) return [];
      return layoutsOf(rule, names).map((layout) => ({ layout, rule, names }));
    });
  }

  #copiesOf(source: string, table: Table): Copy[] {
    const copies = this.#layouts(source, table).map((found): Copy => ({
      ...found,
      ids: new Map(),
      forms: new Map(),
      placeOfCell: [],
    }));
    if (copies.length > 0) return copies;
    const name = tableName(table);
    throw new RowferryError('ROWFERRY_ROUTE_MISSING', `no route says where rows of ${name} go`, {
      where: { source, table: name },
      hint: 'add a route for it, or exclude it in the source\'s "tables"',
    });
  }

  #placement(copy: Copy, table: Table): Placement {
    const { layout, rule, names, placeOfCell } = copy;
    const where = { table: tableName(table) };
    try {
      checkForms(copy, table);
      const id = this.#idOf(copy, table);
      const mapped = rule.columns === null ? unmapped(table) : mapTable(table, rule.columns, names);
      const columns = table.columns.map(({ name }) => name);
      const cellOf = layout.cellFinder(columns, decodersOf(table));
      return {
        ...mapped,
        id,
        place: (row) => {
          try {
            const cell = cellOf(row);
            return (placeOfCell[cell] ??= this.#intern(layout, cell, names.source));
          } catch (error) {
            throw error instanceof RowferryError ? error.at(where) : error;
          }
        },
      };
    } catch (error) {
      throw error instanceof RowferryError ? error.at(where) : error;
    }
  }

  #idOf({ ids }: Copy, table: Table): number {
    const key = table.key.map((index) => table.columns[index]!.name.toLowerCase()).join('\0');
    const id = ids.get(key) ?? this.#copies++;
    ids.set(key, id);
    return id;
  }

  #intern(layout: Layout, cell: number, source: string): number {
    const { target, table } = layout.place(cell);
    if (target.startsWith(STAYS)) return staying(target.slice(STAYS.length), source);
    return this.#places.push({ target: this.targets.indexOf(target), table }) - 1;
  }
}

/** What a rule's names stand for in rows of this table of this source; undefined when it does not take them. */
export function takenAs(
  { takes, sources }: Pick<RouteRule, 'takes' | 'sources'>,
  source: string,
  { schema, name }: { readonly schema: string; readonly name: string },
): Names | undefined {
  const groups = takes(schema, name);
  if (groups === undefined || sources?.includes(source) === false) return undefined;
  return { source, schema, table: name, groups };
}

/** The layouts of a route for one source table: one, or a copy for each of several targets. */
export function layoutsOf({ to, layout }: Pick<RouteRule, 'to' | 'layout'>, names: Names): Layout[] {
  const spec = { ...layout, to: fillNames(to, names) };
  if (spec.shards !== null) return [new Layout(spec)];
  return spec.targets.map((target) => new Layout({ ...spec, targets: [target] }));
}

/**
 * A changed type may write the same value in another way (`01` becomes 1): rules and hashes would then look for a row where it
 * does not stand. Rows themselves tell nothing of such a change.
 */
function checkForms({ forms, layout, rule }: Copy, table: Table): void {
  const hashed = Object.keys(rule.columns?.prefix ?? {}).concat(rule.columns?.hash ?? []);
  const key = new Set(table.key.map((index) => table.columns[index]!.name.toLowerCase()));
  const deciding = new Set([
    ...layout.by.map((name) => name.toLowerCase()),
    ...hashed.map((name) => name.toLowerCase()).filter((name) => key.has(name)),
  ]);
  for (const { name, type } of table.columns) {
    const lower = name.toLowerCase();
    if (!deciding.has(lower)) continue;
    const form = formOf(type);
    const before = forms.get(lower) ?? form;
    forms.set(lower, before);
    if (before === form) continue;
    throw new RowferryError(
      'ROWFERRY_ROUTE_KEY',
      `column ${name}, by which rows are placed, changed from ${before} to ${form}`,
      {
        where: { column: name },
        hint: 'its rows stand where the old values put them: change it back, or fill emptied targets by a pipeline with a new "name"',
      },
    );
  }
}

/** Types whose values are written alike are one form. */
function formOf(type: string): string {
  const family = parseSourceType(type)?.family;
  if (family === 'integer' || family === 'bigint') return 'integer';
  return family === 'text' ? 'text' : type;
}

/** Bytes and bits travel as text that reads like another value; their keys are the bytes and the number themselves. */
function decodersOf(table: Table): Decoders {
  return new Map(
    table.columns.flatMap(({ type }, position): [number, (value: RouteKey) => RouteKey][] => {
      const family = parseSourceType(type)?.family;
      if (family === 'bytes') return [[position, bytesOf]];
      return family === 'bit' ? [[position, numberOfBits]] : [];
    }),
  );
}

function bytesOf(value: RouteKey): RouteKey {
  return typeof value === 'string' ? Buffer.from(value, 'base64') : value;
}

function numberOfBits(value: RouteKey): RouteKey {
  return typeof value === 'string' && value !== '' ? BigInt(`0b${value}`) : value;
}

/** A row of a shard that is the source's own table is not written: there it is already. */
function staying(home: string, source: string): number {
  if (home === source) return NOWHERE;
  throw new RowferryError(
    'ROWFERRY_ROUTE_KEY',
    `a row belongs to the shard that stays in source ${home} and stands in source ${source}`,
    {
      where: { source },
      hint: 'the sources were not sharded by this rule: correct the rule, or move the row at the sources',
    },
  );
}
