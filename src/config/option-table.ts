/** The manual's table of options, made from their declaration. */
import { z } from 'zod';
import { shapeOf } from './option-kinds.ts';
import { configOptions } from './options.ts';
import { unwrap } from './problems.ts';

interface Row {
  readonly path: string;
  readonly type: string;
  readonly default: string;
  readonly description: string;
  /** Of a choice such as `algorithm`: the one that has this option. */
  readonly of?: string;
}

const REQUIRED = '**required**';

/** Markdown of every option in the order of its declaration, a table a section, columns aligned. */
export function optionTables(): string {
  const rows = Object.entries(configOptions.shape).flatMap(([key, schema]) => rowsOf(key, schema));
  const sections = new Map<string, Row[]>();
  for (const row of rows) {
    const section = /^[^.[]+(?=[.[])/.exec(row.path)?.[0] ?? 'top level';
    sections.set(section, [...(sections.get(section) ?? []), row]);
  }
  return [...sections].map(([section, list]) => `### ${section}\n\n${table(list)}`).join('\n\n');
}

function rowsOf(path: string, schema: z.core.$ZodType): Row[] {
  const branches = unwrap(schema);
  const types = branches.flatMap((branch) => typeOf(branch) ?? []);
  const own: Row[] =
    types.length === 0
      ? []
      : [
          {
            path,
            type: [...new Set(types)].join(' or '),
            default: path.endsWith('.<name>') ? 'none' : defaultOf(schema, branches),
            description: z.globalRegistry.get(schema)?.description ?? '',
          },
        ];
  const inner = branches.flatMap((branch) => {
    const choice = choiceOf(branch);
    const rows = childrenOf(path, branch);
    return choice === undefined ? rows : rows.map((row) => ({ ...row, of: choice }));
  });
  const choices = branches.flatMap((branch) => choiceOf(branch) ?? []);
  return [...own, ...merged(inner, choices)];
}

/** Names the branch of a choice: the one literal that it asks for. */
function choiceOf(branch: z.core.$ZodType): string | undefined {
  if (!(branch instanceof z.ZodObject)) return undefined;
  const literals = Object.values(branch.shape).filter((child) => child instanceof z.ZodLiteral);
  return literals.length === 1 ? String([...(literals[0]?.values ?? [])][0]) : undefined;
}

/** One row a path: branches that share an option tell of it together, and whose it is where not all have it. */
function merged(rows: readonly Row[], choices: readonly string[]): Row[] {
  return rows
    .filter(({ path }, i) => rows.findIndex((row) => row.path === path) === i)
    .map((first) => {
      const same = rows.filter(({ path }) => path === first.path);
      const types = [...new Set(same.map(({ type }) => type))];
      const wide = types.filter((type) => !types.some((other) => other.startsWith(`${type} or `)));
      const having = same.flatMap((row) => row.of ?? []);
      return { ...first, ...whose(first, having, choices), type: wide.join(', ') };
    });
}

function whose(
  { default: value, description }: Row,
  having: readonly string[],
  choices: readonly string[],
): Pick<Row, 'default' | 'description'> {
  const others = choices.filter((choice) => !having.includes(choice));
  if (having.length === 0 || others.length === 0) return { default: value, description };
  const list = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');
  const which = others.length < having.length ? `all but ${list(others)}` : list(having);
  return value === REQUIRED
    ? { default: `${REQUIRED} for ${which}`, description }
    : { default: value, description: `${description} For ${which}.` };
}

/** Words for a value; undefined for a section, whose options stand for it. */
function typeOf(schema: z.core.$ZodType): string | undefined {
  const shape = shapeOf(schema);
  if (shape !== undefined) return shape.type;
  if (schema instanceof z.ZodEnum) return schema.options.map((value) => `\`${value}\``).join(', ');
  if (schema instanceof z.ZodLiteral)
    return [...schema.values].map((value) => `\`${String(value)}\``).join(', ');
  if (!(schema instanceof z.ZodArray)) return undefined;
  const element = typeOf(schema.element);
  return element === undefined ? undefined : `list of ${element}s`;
}

function childrenOf(path: string, schema: z.core.$ZodType): Row[] {
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape).flatMap(([key, child]) =>
      child instanceof z.ZodType ? rowsOf(`${path}.${key}`, child) : [],
    );
  }
  if (schema instanceof z.ZodRecord) return rowsOf(`${path}.<name>`, schema.valueType);
  if (schema instanceof z.ZodArray && typeOf(schema) === undefined)
    return rowsOf(`${path}[]`, schema.element);
  return [];
}

function defaultOf(schema: z.core.$ZodType, branches: readonly z.core.$ZodType[]): string {
  if (schema instanceof z.ZodOptional) return 'none';
  if (!(schema instanceof z.ZodDefault)) return REQUIRED;
  const value: unknown = schema.def.defaultValue;
  const show = branches.map((branch) => shapeOf(branch)?.show).find((found) => found !== undefined);
  return `\`${show === undefined ? String(value) : show(value)}\``;
}

function table(rows: readonly Row[]): string {
  const cells = [
    ['Option', 'Value', 'Default', 'Meaning'],
    ...rows.map((row) => [`\`${row.path}\``, row.type, row.default, row.description].map(escapeCell)),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((line) => (line[column] ?? '').length)));
  const draw = (line: readonly string[], fill = ' '): string =>
    `| ${widths.map((width, i) => (line[i] ?? '').padEnd(width, fill)).join(' | ')} |`;
  return [draw(cells[0] ?? []), draw([], '-'), ...cells.slice(1).map((line) => draw(line))].join('\n');
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|');
}
