/** Options of routes: where the rows of a table go, by which rules, and what becomes of their columns. */
import { z } from 'zod';
import { parseTablePattern } from '../model/table-filter.ts';
import { expandBraces } from './braces.ts';
import { option, text, wholeNumber } from './option-kinds.ts';

const LARGEST_COUNT = 65_536;
const TARGET_NAME = /^(?:source:)?[a-z][a-z0-9_-]{0,62}$/;

/** A list of target names in which ranges are written out. */
const targetNames = () =>
  option(
    { type: 'list of names', json: { type: 'array', items: { type: 'string' }, minItems: 1 } },
    (value): { readonly value: readonly string[] } | { readonly wrong: string } => {
      if (!Array.isArray(value) || value.length === 0) return { wrong: 'must be a list of target names' };
      const names: string[] = [];
      for (const item of value) {
        const range = typeof item === 'string' ? expandBraces(item) : { wrong: 'holds what is no name' };
        if ('wrong' in range) return range;
        names.push(...range.map(({ name }) => name));
      }
      if (names.every((name) => TARGET_NAME.test(name))) return { value: names };
      return { wrong: 'must be names of targets, or ranges of names such as db_{00..15}' };
    },
  );

const column = () => text({ type: 'column', max: 64, what: 'a column name' });
const by = () => column().describe('Column that decides.');
const count = (what: string) => wholeNumber({ min: 1, max: LARGEST_COUNT }).describe(what);
const SLOTS = { min: 1, max: LARGEST_COUNT } as const;
const slotFields = () => ({
  slots: wholeNumber(SLOTS).default(64).describe('Fixed slots, a power of two; never changes, shards do.'),
  half: z
    .enum(['low', 'high'])
    .default('low')
    .describe(
      '`low`: key mod slots; `high`: floor(key / slots) mod slots. Two levels need different halves.',
    ),
});
const slotList = () =>
  text({ type: 'slots', what: 'slots such as 0-15, 40' }).describe(
    'Slots of this shard: `0-15, 40`. Every slot has one owner; the order of the names is that of the shards.',
  );
const seed = () =>
  wholeNumber({ min: 0, max: 2 ** 32 - 1 })
    .default(0)
    .describe('Another seed is another hash.');
const RULE = 'The rule, see [routing.md](routing.md).';
const algorithm = <const T extends string>(name: T) => z.literal(name).describe(RULE);

const period = z.enum(['year', 'quarter', 'month']).describe('How long a table lasts.');
const since = text({
  type: 'period',
  // Each period is a table: with a slip of the pen such as 0024 there would be thousands.
  pattern: /^(?:19|2[01])\d{2}(?:-\d{2}|q[1-4])?$/,
  what: 'the first period, of a year from 1900 to 2199: 2024, 2024q1 or 2024-01',
}).describe('First period; older rows are refused.');
const expressionText = text({ type: 'expression', max: 1000, what: 'an expression' }).describe(
  'Whole-number expression over columns, such as `user_id / 64 % 4`.',
);
const customFields = {
  by: option(
    { type: 'column or list of columns', json: { type: ['string', 'array'], items: { type: 'string' } } },
    (value): { readonly value: readonly string[] } | { readonly wrong: string } => {
      const list: readonly unknown[] = Array.isArray(value) ? value : [value];
      const names = list.filter((name) => typeof name === 'string' && name !== '').map(String);
      return names.length === list.length && names.length > 0
        ? { value: names }
        : { wrong: 'must be a column name, or a list of them' };
    },
  ).describe('Column that decides.'),
  module: text({ type: 'file', what: 'the path of an ES module' }).describe(
    'ES module that exports `shardOf(keys, count)`; relative to this file.',
  ),
};
const substringFields = {
  at: option({ type: 'whole number', json: { type: 'integer' } }, (value) =>
    Number.isSafeInteger(value) ? { value: Number(value) } : { wrong: 'must be a whole number' },
  ).describe('Position of the first digit: 0 is the first character, -1 the last.'),
  length: wholeNumber({ min: 1, max: 4 }).describe('How many digits.'),
};
const points = wholeNumber({ min: 1, max: 4096 })
  .default(160)
  .describe('Points of each shard on the ring: more are more even.');

const on = targetNames().describe(
  'Targets in the order of the shards; `source:<name>` for rows that stay there.',
);

/** One branch an algorithm; the targets are its shards. */
const shardOptions = z.discriminatedUnion('algorithm', [
  z.strictObject({ algorithm: algorithm('modulo'), by: by(), on }),
  z.strictObject({ algorithm: algorithm('segments'), by: by(), on, ...slotFields() }),
  z.strictObject({
    algorithm: algorithm('virtual-nodes'),
    by: by(),
    on,
    max: count('Virtual nodes; the shards divide them.'),
  }),
  z.strictObject({
    algorithm: algorithm('slot-map'),
    by: by(),
    map: z.record(z.string().regex(TARGET_NAME), slotList()),
    ...slotFields(),
  }),
  z.strictObject({ algorithm: algorithm('date'), by: by(), on, period, since }),
  z.strictObject({ algorithm: algorithm('substring'), by: by(), on, ...substringFields }),
  z.strictObject({ algorithm: algorithm('hash'), by: by(), on, seed: seed() }),
  z.strictObject({ algorithm: algorithm('ring'), by: by(), on, points, seed: seed() }),
  z.strictObject({ algorithm: algorithm('expression'), expression: expressionText, on }),
  z.strictObject({ algorithm: algorithm('custom'), ...customFields, on }),
]);

const names = {
  digits: wholeNumber({ min: 1, max: 9 })
    .default(2)
    .describe('Digits of a numeric suffix: 2 makes `orders_04`.'),
  separator: text({ pattern: /^[A-Za-z0-9_$]{1,8}$/, what: 'letters, digits, `_` or `$`' })
    .default('_')
    .describe('Stands between the table’s name and the suffix.'),
};
const tables = count('How many tables each target has.');

const tableOptions = z.discriminatedUnion('algorithm', [
  z.strictObject({ algorithm: algorithm('modulo'), by: by(), count: tables, ...names }),
  z.strictObject({ algorithm: algorithm('segments'), by: by(), count: tables, ...slotFields(), ...names }),
  z.strictObject({
    algorithm: algorithm('virtual-nodes'),
    by: by(),
    count: tables,
    max: count('Virtual nodes; the shards divide them.'),
    ...names,
  }),
  z.strictObject({
    algorithm: algorithm('slot-map'),
    by: by(),
    map: z.record(z.string().regex(/^[A-Za-z0-9_$]{1,32}$/), slotList()),
    ...slotFields(),
    ...names,
  }),
  z.strictObject({
    algorithm: algorithm('date'),
    by: by(),
    period,
    since,
    ahead: wholeNumber({ min: 0, max: 120 })
      .default(1)
      .describe('Periods after the present one whose tables must be there.'),
    ...names,
  }),
  z.strictObject({ algorithm: algorithm('substring'), by: by(), ...substringFields, ...names }),
  z.strictObject({ algorithm: algorithm('hash'), by: by(), count: tables, seed: seed(), ...names }),
  z.strictObject({ algorithm: algorithm('ring'), by: by(), count: tables, points, seed: seed(), ...names }),
  z.strictObject({ algorithm: algorithm('expression'), expression: expressionText, count: tables, ...names }),
  z.strictObject({ algorithm: algorithm('custom'), ...customFields, count: tables, ...names }),
]);

const columnList = () => z.array(column()).min(1);
const columnRecord = <S extends z.ZodType>(value: S) => z.record(z.string().min(1).max(64), value);

const constant = option(
  { type: 'text or whole number', json: { type: ['string', 'integer'] } },
  (value): { readonly value: string | number } | { readonly wrong: string } => {
    if (typeof value === 'string' || Number.isSafeInteger(value)) return { value: value as string | number };
    return { wrong: 'must be text or a whole number' };
  },
);

const columnOptions = z
  .strictObject({
    only: columnList().optional().describe('Columns that are written. Default: all.'),
    drop: columnList().optional().describe('Columns that are not written.'),
    rename: columnRecord(column().describe('Source column: target column.')).optional(),
    hash: columnList()
      .optional()
      .describe('Columns written as HMAC-SHA-256 of their text, 64 hexadecimal digits.'),
    hashKey: text({ type: 'secret', what: 'a secret of 16 characters or more', pattern: /^.{16,}$/s })
      .optional()
      .describe('Key of the hashes; a secret. Without it a phone number is found by trying all.'),
    mask: columnRecord(
      wholeNumber({ min: 0, max: 1024 }).describe(
        'Text column: how many characters at its end stay; the others become `*`.',
      ),
    ).optional(),
    prefix: columnRecord(
      text({ what: 'a text' }).describe('Column: a text that is put before its value, such as `{source}-`.'),
    ).optional(),
    add: columnRecord(
      constant.describe('Target column: the same value in every row, such as `{source}`.'),
    ).optional(),
    key: columnList()
      .optional()
      .describe('The target’s key, in its own names. Default: what becomes of the source’s key.'),
    origin: column()
      .optional()
      .describe('Target column that gets `source:schema.table`; rows of another origin are never changed.'),
  })
  .superRefine((columns, context) => {
    const issue = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (columns.only !== undefined && columns.drop !== undefined)
      issue('drop', 'stands beside `only`; keep one of them');
    if (columns.hash !== undefined && columns.hashKey === undefined)
      issue('hash', 'needs a `hashKey`: without a secret, short values are found by trying all');
    const ways = [columns.hash ?? [], ...[columns.mask, columns.prefix].map((map) => Object.keys(map ?? {}))];
    const twice = ways.flat().find((name, i, all) => all.indexOf(name) !== i);
    if (twice !== undefined)
      issue('hash', `column ${twice} has two of hash, mask and prefix; keep one of them`);
  });

const tablePattern = option(
  { type: '`schema.table` or pattern', json: { type: 'string' } },
  (value): { readonly value: string } | { readonly wrong: string } => {
    const pattern = typeof value === 'string' ? parseTablePattern(value) : { wrong: 'a pattern in quotes' };
    if ('wrong' in pattern) return { wrong: `must be ${pattern.wrong}` };
    if (pattern.value.exclude) return { wrong: 'must say which tables it takes, not which it leaves' };
    return { value: pattern.value.text };
  },
);

export const routeOptions = z
  .strictObject({
    from: tablePattern.describe(
      'Source table, or a pattern as in `sources.<name>.tables`. Every route that fits a table gets its rows.',
    ),
    sources: z
      .array(text({ type: 'name', what: 'the name of a source' }))
      .min(1)
      .optional()
      .describe('Sources whose rows it takes. Default: all that capture the table.'),
    to: text({
      type: '`table` or `schema.table`',
      pattern: /^[^.\s]+(?:\.[^.\s]+)?$/,
      what: 'a target table: `table`, or `schema.table` on PostgreSQL',
    })
      .optional()
      .describe(
        'Target table; may hold `{table}`, `{schema}`, `{source}` and the groups of the pattern, `{1}`. Default: the source table’s name.',
      ),
    target: text({ type: 'name', what: 'the name of a target' })
      .optional()
      .describe('The one target that gets every row.'),
    targets: targetNames().optional().describe('Targets that each get every row.'),
    shards: shardOptions.optional().describe('Targets that share the rows.'),
    tables: tableOptions.optional().describe('Tables within each target that share its rows.'),
    columns: columnOptions.optional().describe('What becomes of the columns.'),
    keys: z
      .enum(['disjoint'])
      .optional()
      .describe(
        'You promise that tables which meet in one target table never hold one key twice, nor hand a row from one to another.',
      ),
  })
  .superRefine((route, context) => {
    const ways = (['target', 'targets', 'shards'] as const).filter((way) => route[way] !== undefined);
    if (ways.length === 1) return;
    context.addIssue({
      code: 'custom',
      message:
        ways.length === 0
          ? 'says not where rows go; add one of `target`, `targets` or `shards`'
          : `has ${ways.join(' and ')}; keep one of them`,
    });
  });

export type RouteOptions = z.output<typeof routeOptions>;
export type ShardOptions = z.output<typeof shardOptions>;
export type TableOptions = z.output<typeof tableOptions>;
export type ColumnOptions = z.output<typeof columnOptions>;
