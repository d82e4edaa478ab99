/** Real keys for forecasts and plans: a range of ids, a file with one key a line, or a query. Streamed, never kept. */
import { createReadStream } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { systemCode } from '../config/interpolate.ts';
import type { Config } from '../config/config.ts';
import { RowferryError } from '../errors.ts';
import type { RouteKey } from '../routing/rule.ts';

export interface KeySourceOptions {
  readonly range?: IdRange;
  readonly file?: string;
  readonly query?: string;
  readonly database?: string;
}

interface IdRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** Rows with the names of their values, the same in every batch of one source. */
interface KeyBatch {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly RouteKey[])[];
}

const BATCH_ROWS = 65_536;
const RANGE = /^(-?\d{1,40})\.\.(-?\d{1,40})$/;

export function addKeyOptions(command: Command): Command {
  return command
    .option('--range <first..last>', 'whole numbers, such as 0..999999', idRange)
    .option('--file <path>', 'one key a line; several columns by tabs, in the order of the rule')
    .option('--query <sql>', 'SELECT with the sharding columns, run read-only and streamed')
    .option('--database <name>', 'the source or target that the query asks, named in the configuration');
}

/** For commander: throws what it tells as a usage error. */
function idRange(text: string): IdRange {
  const match = RANGE.exec(text.trim());
  if (match === null) throw new InvalidArgumentError('Must be a range such as 0..999999.');
  const range = { first: BigInt(match[1]!), last: BigInt(match[2]!) };
  if (range.last < range.first) throw new InvalidArgumentError('Ends before it begins.');
  return range;
}

/** How many of the ways to give keys an operator chose. */
export function keySourceCount({ range, file, query }: KeySourceOptions): number {
  return [range, file, query].filter((way) => way !== undefined).length;
}

/**
 * The keys in batches. `by` names the sharding columns that are wanted: what has no names of its own gets them by position,
 * and so does a query with a single column. Ends early when the signal aborts; the caller has to look. `configOf` is asked
 * only for a query.
 */
export async function* readKeys(
  options: KeySourceOptions,
  by: readonly string[],
  configOf: () => Config,
  signal: AbortSignal,
): AsyncGenerator<KeyBatch, void, undefined> {
  const { range, file, query, database } = options;
  if (range !== undefined) {
    if (by.length > 1) {
      throw new RowferryError(
        'ROWFERRY_CONFIG_INVALID',
        `the rules read ${by.join(' and ')}, a range is one`,
        {
          hint: 'give the values by --file or --query',
        },
      );
    }
    yield* rangeKeys(range, by, signal);
  } else if (file !== undefined) {
    yield* fileKeys(file, by, signal);
  } else if (query !== undefined) {
    if (database === undefined) {
      throw new RowferryError('ROWFERRY_CONFIG_INVALID', 'which database shall answer the query?', {
        hint: 'name a source or target of the configuration by --database',
      });
    }
    yield* queryKeys(query, database, by, configOf(), signal);
  }
}

async function* rangeKeys(
  { first, last }: IdRange,
  columns: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<KeyBatch, void, undefined> {
  for (let from = first; from <= last && !signal.aborted; from += BigInt(BATCH_ROWS)) {
    const left = last - from + 1n;
    const length = left < BATCH_ROWS ? Number(left) : BATCH_ROWS;
    const isSafe = from >= Number.MIN_SAFE_INTEGER && from + BigInt(length) <= Number.MAX_SAFE_INTEGER;
    const start = Number(from);
    const rows = Array.from({ length }, (_, i) => [isSafe ? start + i : from + BigInt(i)]);
    yield { columns, rows };
    // Nothing above waits for anything: signals are heard here.
    await setImmediate();
  }
}

async function* fileKeys(
  file: string,
  columns: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<KeyBatch, void, undefined> {
  let lineNumber = 0;
  const rowOf = (line: string): readonly RouteKey[] => {
    lineNumber += 1;
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    const values = columns.length > 1 ? text.split('\t') : [text];
    if (values.length === columns.length) return values;
    throw new RowferryError(
      'ROWFERRY_CONFIG_INVALID',
      `${file}:${lineNumber}: holds ${values.length} of the ${columns.length} values ${columns.join(', ')}`,
      { hint: 'write them in this order with tabs between, or choose one route by --route' },
    );
  };
  let rest = '';
  let isFirst = true;
  const chunks = createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 20 });
  try {
    for await (const chunk of chunks as AsyncIterable<string>) {
      if (signal.aborted) return;
      const text: string = isFirst ? chunk.replace(/^\uFEFF/, '') : rest + chunk;
      isFirst = false;
      const lines = text.split('\n');
      rest = lines.pop() ?? '';
      if (lines.length > 0) yield { columns, rows: lines.map(rowOf) };
    }
  } catch (error) {
    if (error instanceof RowferryError) throw error;
    throw new RowferryError('ROWFERRY_CONFIG_INVALID', `${file}: cannot be read (${systemCode(error)})`, {
      hint: 'name a file with one key a line by --file',
      cause: error,
    });
  }
  if (rest !== '') yield { columns, rows: [rowOf(rest)] };
}

async function* queryKeys(
  sql: string,
  database: string,
  by: readonly string[],
  config: Config,
  signal: AbortSignal,
): AsyncGenerator<KeyBatch, void, undefined> {
  const { queryRows } = await import('../wiring/key-query.ts');
  let names: readonly string[] | undefined;
  let columns: readonly string[] = by;
  for await (const rows of queryRows(config, database, sql, signal)) {
    if (names === undefined) {
      names = Object.keys(rows[0] ?? {});
      columns = names.length === 1 && by.length === 1 ? by : names;
    }
    const order = names;
    yield { columns, rows: rows.map((row) => order.map((name) => row[name] ?? null)) };
  }
}
