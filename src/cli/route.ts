/** `rowferry route`: where a row lives, under every route of its table. Asks the configuration alone, no server. */
import { Command } from 'commander';
import type { RouteLayout } from '../config/layouts.ts';
import { loadConfig } from '../config/load.ts';
import { RowferryError } from '../errors.ts';
import { isBusinessNumber, locateNumber, routesNumbers } from '../routing/business-number.ts';
import type { Layout, Place } from '../routing/layout.ts';
import { STAYS } from '../routing/layout.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';
import { exitCodeOf } from './exit-codes.ts';
import { layoutTexts } from './rule-text.ts';
import { chosenLayouts, routeOption } from './table-layouts.ts';

interface RouteOptions {
  readonly config: string;
  readonly route?: string;
  readonly number?: boolean;
  readonly key?: boolean;
  readonly json?: boolean;
}

/** What an operator knows of the row. */
type Clue =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'number'; readonly number: string }
  | { readonly kind: 'columns'; readonly values: ReadonlyMap<string, string> };

const COLUMN_VALUE = /^([A-Za-z_][\w$]*)=(.*)$/s;

export function routeCommand({ output, env }: CliContext): Command {
  return new Command('route')
    .description('say where a row lives, and under which rule')
    .argument('<table>', 'source table schema.table, or a table at the targets')
    .argument('<row...>', 'its sharding key, its 32-digit business number, or column=value of each column')
    .addOption(configOption())
    .addOption(routeOption())
    .option('--number', 'it is a business number')
    .option('--key', 'it is a key, also with 32 digits or with a =')
    .option('--json', 'one JSON object a route for programs')
    .addHelpText(
      'after',
      `
Exactly 32 digits are a business number where the layout goes by slots: the last four digits are the slots of database and
table. Write -- before a negative key: rowferry route shop.orders -- -1`,
    )
    .action(async (table: string, row: string[], options: RouteOptions, command: Command) => {
      if (options.number === true && options.key === true)
        command.error("error: option '--number' cannot be used with option '--key'");
      if (row.length > 1 && (options.number === true || options.key === true || !row.every(isColumnValue)))
        command.error('error: give one key or number, or column=value of each column');
      const layouts = await chosenLayouts(loadConfig(options.config, env), table, options.route);
      const clue = clueOf(row, options, layouts);
      if (clue.kind === 'key') refuseSeveralKeys(table, layouts);
      const answers = layouts.map((layout) => answerOf(layout, clue));
      for (const answer of answers) {
        if (options.json === true) output.out(JSON.stringify(answerJson(answer)));
        else for (const line of answerLines(answer)) output.out(line);
      }
      // One route that can tell is an answer; the others may go by what the operator does not know.
      const errors = answers.flatMap(({ found }) => (found instanceof RowferryError ? [found] : []));
      if (errors.length === answers.length) process.exitCode = exitCodeOf(errors[0]!);
    });
}

/** Routes of several columns would each take a bare key for a value of their own. */
function refuseSeveralKeys(table: string, layouts: readonly RouteLayout[]): void {
  const columns = layouts.map(({ layout }) => layout.by.map((name) => name.toLowerCase()).join(' and '));
  const different = [...new Set(columns.filter((names) => names !== ''))];
  if (different.length < 2) return;
  throw new RowferryError(
    'ROWFERRY_ROUTE_KEY',
    `the routes of ${table} decide by ${different.join(' or by ')}`,
    {
      where: { table },
      hint: `say which one you know, such as ${layouts[0]!.layout.by[0] ?? different[0]!}=…, or choose a route by --route`,
    },
  );
}

interface Answer extends RouteLayout {
  readonly clue: Clue['kind'];
  readonly found: Place | RowferryError;
}

function answerOf(route: RouteLayout, clue: Clue): Answer {
  try {
    return { ...route, clue: clue.kind, found: locate(route.layout, clue) };
  } catch (error) {
    if (error instanceof RowferryError) return { ...route, clue: clue.kind, found: error };
    throw error;
  }
}

function locate(layout: Layout, clue: Clue): Place {
  switch (clue.kind) {
    case 'number':
      return locateNumber(layout, clue.number);
    case 'key':
      return layout.locateKey(clue.key);
    case 'columns': {
      const known = new Set([...clue.values.keys()].map((name) => name.toLowerCase()));
      const missing = layout.by.filter((name) => !known.has(name.toLowerCase()));
      if (missing.length === 0) return layout.locate(Object.fromEntries(clue.values));
      throw new RowferryError('ROWFERRY_ROUTE_KEY', `needs a value of ${missing.join(' and ')}`, {
        hint: `add ${missing.map((name) => `${name}=…`).join(' ')}`,
      });
    }
  }
}

function clueOf(row: readonly string[], options: RouteOptions, layouts: readonly RouteLayout[]): Clue {
  const [first = ''] = row;
  if (options.number === true) return { kind: 'number', number: first };
  if (options.key === true) return { kind: 'key', key: first };
  if (row.every(isColumnValue)) {
    const values = row.map((text): [string, string] => {
      const [, name = '', value = ''] = COLUMN_VALUE.exec(text) ?? [];
      return [name, value];
    });
    return { kind: 'columns', values: new Map(values) };
  }
  const isNumber = isBusinessNumber(first) && layouts.some(({ layout }) => routesNumbers(layout));
  return isNumber ? { kind: 'number', number: first } : { kind: 'key', key: first };
}

function isColumnValue(text: string): boolean {
  return COLUMN_VALUE.test(text);
}

function answerLines({ route, layout, clue, found }: Answer): string[] {
  const { targets, tables } = layoutTexts(layout);
  const place =
    found instanceof RowferryError
      ? `cannot tell: ${found.describe()}`
      : `${targetText(found)}  ${found.table}`;
  return [
    place,
    `  route    ${route.from} -> ${layout.spec.to}  (${route.place})`,
    ...(targets === null ? [] : [`  targets  ${targets}`]),
    ...(tables === null ? [] : [`  tables   ${tables}`]),
    ...(clue === 'number' ? ['  asked by the slots of a business number'] : []),
  ];
}

function targetText({ target }: Place): string {
  return target.startsWith(STAYS) ? `stays in source ${target.slice(STAYS.length)}` : target;
}

function answerJson({ route, layout, clue, found }: Answer): object {
  const place =
    found instanceof RowferryError
      ? { error: { code: found.code, message: found.message } }
      : { target: found.target, table: found.table };
  return {
    from: route.from,
    to: layout.spec.to,
    place: route.place,
    by: layout.by,
    shards: layout.spec.shards,
    tables: layout.spec.tables,
    asked: clue,
    found: place,
  };
}
