/** Target schemas by configuration: planned into files, applied, compared. */
import type { Config, TargetSettings } from '../config/config.ts';
import { loadRoutes } from '../config/routes.ts';
import type { LoadedRoute } from '../config/routes.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Names } from '../routing/columns.ts';
import { currentIndex } from '../routing/date-rule.ts';
import type { Place } from '../routing/layout.ts';
import { layoutsOf, takenAs } from '../routing/router.ts';
import type { RouteRule } from '../routing/router.ts';
import { applyVersions } from '../schema/apply-versions.ts';
import type { Catalog } from '../schema/catalog.ts';
import type { DdlWriter } from '../schema/ddl.ts';
import { schemaDifferences } from '../schema/diff.ts';
import type { Difference } from '../schema/diff.ts';
import { listed } from '../schema/listed.ts';
import { mysqlDdl } from '../schema/mysql-ddl.ts';
import { planTarget } from '../schema/plan-target.ts';
import type { Feed, TargetPlan } from '../schema/plan-target.ts';
import { planVersions } from '../schema/plan-versions.ts';
import type { Note, TargetTraits, TypeOverride } from '../schema/planned.ts';
import { Unfit } from '../schema/unfit.ts';
import { postgresDdl } from '../schema/postgres-ddl.ts';
import { VERSION } from '../version.ts';
import { localUser } from './local-user.ts';
import { lostRoutes, nothingFor } from './routed-tables.ts';
import { readRecord, readVersions, writeVersions } from './schema-files.ts';
import { givenTypes, namedColumns } from './schema-types.ts';
import { readActual, readSourceCatalog, readTraits, withTarget } from './schema-links.ts';
import { placesNow } from './target-tables.ts';

export interface SchemaOptions {
  /** `column-pattern.ts` -> the target's type; beside those of the configuration, before which they count. */
  readonly types: Readonly<Record<string, string>>;
  /** Secondary indexes with the tables, or in a file of their own for after the copy. */
  readonly indexes: 'before' | 'after';
  /** Folder of the files. */
  readonly dir: string;
  /** One target only. */
  readonly target?: string;
  /** Gets what deserves a look and hinders nothing. */
  readonly warn?: Print;
}

/** What the sources hold and where it goes. */
interface SchemaSources {
  readonly routes: readonly LoadedRoute[];
  readonly catalogs: ReadonlyMap<string, Catalog>;
  readonly overrides: readonly TypeOverride[];
}

type Print = (line: string) => void;

interface PlannedFiles {
  readonly target: string;
  readonly files: readonly string[];
  readonly notes: readonly Note[];
  readonly byHand: readonly string[];
}

/** Writes the next files of each target, where there is anything new. */
export async function planSchema(
  config: Config,
  options: SchemaOptions,
  how: { readonly accept: boolean; readonly dryRun: boolean },
): Promise<PlannedFiles[]> {
  const sources = await readSources(config, options, 'refuse');
  const answers: PlannedFiles[] = [];
  const unfit = new Unfit();
  const writes: (() => void)[] = [];
  for (const target of targetsOf(config, options)) {
    const traits = await withTarget(target, readTraits);
    const planned = unfit.gather(() => planOf(sources, target, traits, placesSince));
    if (planned === undefined) continue;
    const { plan, routes } = planned;
    const output = planVersions({
      plan,
      ddl: ddlOf(traits),
      indexes: options.indexes,
      header: { pipeline: config.name, target: target.name, engine: engineOf(traits), routes },
      files: readVersions(options.dir, target.name),
      record: readRecord(options.dir, target.name),
      accept: how.accept,
    });
    writes.push(() => writeVersions(options.dir, target.name, output.files, output.record));
    answers.push({
      target: target.name,
      files: output.files.map(({ name }) => name),
      notes: plan.notes,
      byHand: output.byHand,
    });
  }
  unfit.refuse();
  if (!how.dryRun) for (const write of writes) write();
  return answers;
}

/** Applies each target's files, one target after the other; answers how many files were applied. */
export async function applySchema(
  config: Config,
  options: Pick<SchemaOptions, 'dir' | 'target'>,
  how: { readonly dryRun: boolean; readonly beforeCopy?: boolean },
  print: Print,
  signal: AbortSignal,
): Promise<number> {
  let applied = 0;
  for (const target of targetsOf(config, options)) {
    const files = readVersions(options.dir, target.name);
    applied += await withTarget(target, async (session) => {
      try {
        return await applyVersions(
          session,
          {
            pipeline: config.name,
            files,
            who: localUser(),
            rowferry: VERSION,
            dryRun: how.dryRun,
            beforeCopy: how.beforeCopy === true,
            report: (line) => print(`${target.name}: ${line}`),
          },
          signal,
        );
      } catch (error) {
        throw toRowferryError(error, 'applying a schema').at({ target: target.name });
      }
    });
  }
  return applied;
}

/** What each target has otherwise than the sources ask for. */
export async function diffSchema(
  config: Config,
  options: Pick<SchemaOptions, 'types' | 'target' | 'warn'>,
): Promise<{ readonly target: string; readonly difference: Difference }[]> {
  const sources = await readSources(config, options, 'tell');
  const answers: { target: string; difference: Difference }[] = [];
  const unfit = new Unfit();
  for (const target of targetsOf(config, options)) {
    await withTarget(target, async (session) => {
      const traits = await readTraits(session);
      const planned = unfit.gather(() => planOf(sources, target, traits, placesComing));
      if (planned === undefined) return;
      const { plan } = planned;
      const paths = plan.tables.map(({ path }) => path);
      const actual = await readActual(session, target.url, paths);
      const differences = schemaDifferences(traits.engine, plan.tables, actual);
      answers.push(...differences.map((difference) => ({ target: target.name, difference })));
    });
  }
  unfit.refuse();
  return answers;
}

async function readSources(
  config: Config,
  { types, warn }: Pick<SchemaOptions, 'types' | 'warn'>,
  lost: 'refuse' | 'tell',
): Promise<SchemaSources> {
  const routes = await loadRoutes(config);
  const catalogs = new Map<string, Catalog>();
  for (const source of config.sources) catalogs.set(source.name, await readSourceCatalog(source));
  // An account that may not look at a table does not see it: nothing to plan is not the same as nothing to do.
  if (config.debezium.length === 0) {
    const tables = new Map([...catalogs].map(([source, catalog]) => [source, catalog.tables]));
    for (const { route } of lostRoutes(routes, tables)) warn?.(nothingFor(route, tables));
  }
  const overrides = givenTypes(config, types, namedColumns(routes, catalogs), lost, warn);
  return { routes, catalogs, overrides };
}

function planOf(
  { routes, catalogs, overrides }: SchemaSources,
  target: TargetSettings,
  traits: TargetTraits,
  placesOf: (rule: RouteRule, names: Names) => readonly Place[],
): { readonly plan: TargetPlan; readonly routes: readonly string[] } {
  const feeds: Feed[] = [];
  const lines: string[] = [];
  const notes: Note[] = [];
  for (const [source, catalog] of catalogs) {
    const routed: string[] = [];
    for (const table of catalog.tables) {
      let isRouted = false;
      for (const { rule } of routes) {
        const names = takenAs(rule, source, table);
        if (names === undefined) continue;
        isRouted = true;
        const places = placesOf(rule, names).filter((place) => place.target === target.name);
        if (places.length === 0) continue;
        const paths = places.map((place) => place.table);
        const { shards, tables, targets } = rule.layout;
        feeds.push({
          sourceFlavour: catalog.flavour,
          table,
          columns: rule.columns,
          names,
          paths,
          shared: tables !== null || (shards !== null && targets.length > 1),
        });
        routed.push(`  ${table.schema}.${table.name} -> ${listed(paths, 'tables')}`);
      }
      if (!isRouted)
        notes.push({ about: `${table.schema}.${table.name}`, what: 'no route says where its rows go' });
    }
    if (routed.length === 0) continue;
    lines.push(`source ${source} (${catalog.flavour} ${catalog.version}):`, ...routed);
    const objects = catalog.objects.map(({ schema, name, kind }) => ({
      about: `${schema}.${name}`,
      what: `is a ${kind}: not converted`,
    }));
    notes.push(...objects);
  }
  const plan = planTarget(feeds, traits, overrides);
  return { plan: { tables: plan.tables, notes: [...plan.notes, ...notes] }, routes: lines };
}

/** Every table that rows may need, of date rules without an end from the first period to the coming ones. */
function placesSince(rule: RouteRule, names: Names): readonly Place[] {
  return layoutsOf(rule, names).flatMap((layout) => {
    const { tables, spec } = layout;
    if (tables === null || tables.count !== null) return layout.places();
    const last = currentIndex(tables, Date.now()) + (spec.tables?.ahead ?? 0);
    return layout.places(Math.max(0, last + 1));
  });
}

/** Those that must be there: tables of past periods may have been dropped. */
function placesComing(rule: RouteRule, names: Names): readonly Place[] {
  return placesNow(rule, names, 'coming', Date.now());
}

function targetsOf(config: Config, { target }: Pick<SchemaOptions, 'target'>): TargetSettings[] {
  const used = new Set(config.routes.flatMap(({ layout }) => layout.targets));
  const all = config.targets.filter(({ name }) => used.has(name));
  const chosen = all.filter(({ name }) => target === undefined || name === target);
  if (chosen.length > 0) return chosen;
  throw new RowferryError(
    'ROWFERRY_CONFIG_INVALID',
    `there is no target ${target ?? ''} that a route leads to`,
    {
      hint: `targets are: ${all.map(({ name }) => name).join(', ')}`,
    },
  );
}

function ddlOf({ engine }: TargetTraits): DdlWriter {
  return engine === 'mysql' ? mysqlDdl : postgresDdl;
}

function engineOf(traits: TargetTraits): string {
  return traits.engine === 'mysql' ? traits.flavour : 'postgres';
}
