/**
 * Compares every row of source tables with every row of the target tables that should hold them: each row in exactly the
 * right places with exactly the right values, and nothing else anywhere.
 *
 * Where a row belongs and what its columns should hold is said by the caller, who must not ask rowferry's own router: it is
 * what is on trial. The sources are read once into a map of key -> digest (some 150 bytes a row); each target table is
 * streamed against it. Nothing is assumed about sort orders, which differ between engines and collations.
 */
import { hash } from 'node:crypto';
import { canonical, kindOfMysqlType, type ValueKind } from './canonical.ts';
import type { ReadColumn, TableColumn, TableReader, TextRow } from './table-reader.ts';
import { openTableReader } from './table-reader.ts';

/** A table in a database; the URL names the database. */
export interface TablePlace {
  /** How the report calls the database. */
  readonly name: string;
  readonly url: string;
  readonly table: string;
}

/** A source row by column name, in canonical texts (`canonical.ts`). */
export type SourceValues = Readonly<Record<string, string | null>>;

/** The source column that a target column repeats, or the text that it should hold. */
export type ExpectedColumn = string | ((row: SourceValues, source: TablePlace) => string | null);

export interface TableComparison {
  /** How the report calls it. */
  readonly table: string;
  /** Tables whose rows meet at the targets. */
  readonly sources: readonly TablePlace[];
  readonly targets: readonly TablePlace[];
  /** Target columns that tell the rows of all sources apart. */
  readonly key: readonly string[];
  /** The target tables that hold a row, each as `name.table`; all of them when absent. */
  readonly belongs?: (row: SourceValues, source: TablePlace) => readonly string[];
  /** By target column; absent: every column of the source under its own name. */
  readonly columns?: Readonly<Record<string, ExpectedColumn>>;
}

export interface Difference {
  readonly table: string;
  /** The target table as `name.table`. */
  readonly target: string;
  readonly what: 'missing' | 'extra' | 'different';
  /** The primary key and never another value. */
  readonly key: string;
  /** Names of the columns that differ. */
  readonly columns?: readonly string[];
}

export interface TableResult {
  readonly table: string;
  readonly sourceRows: number;
  /** Rows found in each target table, in order. */
  readonly targetRows: readonly { readonly target: string; readonly table: string; readonly rows: number }[];
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
}

export interface Comparison {
  /** Pairs of rows that were held against each other, plus those without a partner. */
  readonly compared: number;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  readonly tables: readonly TableResult[];
  /** The first few of each table. */
  readonly samples: readonly Difference[];
}

export const mismatches = ({ missing, extra, different }: Comparison): number => missing + extra + different;

const SAMPLES_PER_TABLE = 10;

/** Throws when a table or column is missing on either side, or has a type that cannot be compared. */
export async function compareTables(comparisons: readonly TableComparison[]): Promise<Comparison> {
  const readers = new Map<string, Promise<TableReader>>();
  const reader = ({ url }: TablePlace): Promise<TableReader> => {
    const known = readers.get(url) ?? openTableReader(url);
    readers.set(url, known);
    return known;
  };
  try {
    const tables: TableResult[] = [];
    const samples: Difference[] = [];
    let compared = 0;
    for (const comparison of comparisons) {
      const one = new TableCompare(comparison, reader);
      tables.push(await one.run());
      compared += one.compared;
      samples.push(...(await one.describeSamples()));
    }
    const total = (count: 'missing' | 'extra' | 'different'): number =>
      tables.reduce((sum, table) => sum + table[count], 0);
    return {
      compared,
      missing: total('missing'),
      extra: total('extra'),
      different: total('different'),
      tables,
      samples,
    };
  } finally {
    const opened = await Promise.allSettled(readers.values());
    for (const outcome of opened) if (outcome.status === 'fulfilled') await outcome.value.close();
  }
}

/** A row's canonical texts, in the order of the compared columns. */
type Texts = readonly (string | null)[];

/** What is known of a source row. */
interface ExpectedRow {
  readonly digest: string;
  /** Indexes of the target tables that should hold it. */
  readonly places: readonly number[];
  /** Bit i: the table `places[i]` has it. */
  seen: number;
}

interface ComparedColumn {
  readonly target: string;
  readonly expected: ExpectedColumn;
  readonly kind: ValueKind;
}

const MOST_PLACES_OF_A_ROW = 31;

class TableCompare {
  readonly #comparison: TableComparison;
  readonly #reader: (place: TablePlace) => Promise<TableReader>;
  readonly #rows = new Map<string, ExpectedRow>();
  readonly #sourceColumns = new Map<TablePlace, readonly ReadColumn[]>();
  readonly #placeLists = new Map<string, readonly number[]>();
  readonly #samples: { target: TablePlace; what: Difference['what']; key: string }[] = [];
  readonly #counts = { missing: 0, extra: 0, different: 0 };
  #columns: readonly ComparedColumn[] = [];
  #keyIndexes: readonly number[] = [];
  compared = 0;

  constructor(comparison: TableComparison, reader: (place: TablePlace) => Promise<TableReader>) {
    this.#comparison = comparison;
    this.#reader = reader;
  }

  async run(): Promise<TableResult> {
    const { table, sources, targets } = this.#comparison;
    await this.#plan();
    for (const source of sources) await this.#readSource(source);
    const targetRows: { target: string; table: string; rows: number }[] = [];
    for (const [index, target] of targets.entries()) {
      const rows = await this.#readTarget(target, index);
      targetRows.push({ target: target.name, table: target.table, rows });
    }
    this.#countMissing();
    return { table, sourceRows: this.#rows.size, targetRows, ...this.#counts };
  }

  /** What is read from each side, and as which kind each column is compared. */
  async #plan(): Promise<void> {
    const { sources, targets, columns, key } = this.#comparison;
    const found: (readonly TableColumn[])[] = [];
    for (const source of sources) {
      const described = await (await this.#reader(source)).columns(source.table);
      if (described.length === 0) throw new Error(`${source.name} has no table ${source.table}`);
      found.push(described);
    }
    const kinds = kindsOf(found.flat());
    const wanted = columns ?? Object.fromEntries([...kinds.keys()].map((name) => [name, name]));
    const jsonAtTarget = await this.#jsonColumns(targets, Object.keys(wanted));
    for (const [target, expected] of Object.entries(wanted)) {
      // Whoever keeps a text as JSON may print it otherwise.
      if (typeof expected === 'string' && jsonAtTarget.has(target)) kinds.set(expected, 'json');
    }
    const kindOf = (name: string): ValueKind => {
      const kind = kinds.get(name);
      if (kind === undefined) throw new Error(`no source has a column ${name}`);
      return kind;
    };
    for (const [i, source] of sources.entries()) {
      const read = (found[i] ?? []).map(({ name }) => ({ name, kind: kindOf(name) }));
      this.#sourceColumns.set(source, read);
    }
    this.#columns = Object.entries(wanted).map(([target, expected]) => ({
      target,
      expected,
      kind: typeof expected === 'string' ? kindOf(expected) : 'text',
    }));
    this.#keyIndexes = key.map((name) => {
      const index = this.#columns.findIndex(({ target }) => target === name);
      if (index < 0) throw new Error(`the key column ${name} is not compared`);
      return index;
    });
  }

  /** Which of the columns some target keeps as JSON. Throws when a target lacks one. */
  async #jsonColumns(targets: readonly TablePlace[], names: readonly string[]): Promise<Set<string>> {
    const json = new Set<string>();
    for (const target of targets) {
      const columns = await (await this.#reader(target)).columns(target.table);
      const types = new Map(columns.map(({ name, dataType }) => [name, dataType]));
      for (const name of names) {
        const type = types.get(name);
        if (type === undefined) throw new Error(`${target.name}.${target.table} has no column ${name}`);
        if (type.startsWith('json')) json.add(name);
      }
    }
    return json;
  }

  async #readSource(source: TablePlace): Promise<void> {
    for await (const { texts, values } of this.#expectedRows(source)) {
      const key = this.#keyOf(texts);
      if (this.#rows.has(key)) {
        throw new Error(`two rows of the sources of ${this.#comparison.table} have the key ${shown(key)}`);
      }
      this.#rows.set(key, { digest: digestOf(texts), places: this.#placesOf(values, source), seen: 0 });
    }
  }

  /** The rows of a source as the targets should have them. */
  async *#expectedRows(source: TablePlace): AsyncGenerator<{ texts: Texts; values: SourceValues }> {
    const read = this.#sourceColumns.get(source) ?? [];
    for await (const piece of (await this.#reader(source)).rows(source.table, read)) {
      for (const row of piece) {
        const texts = canonicalRow(read, row);
        const values = Object.fromEntries(read.map(({ name }, i) => [name, texts[i] ?? null]));
        yield {
          values,
          texts: this.#columns.map(({ expected }) =>
            typeof expected === 'string' ? (values[expected] ?? null) : expected(values, source),
          ),
        };
      }
    }
  }

  /** One list for all rows that share it. */
  #placesOf(values: SourceValues, source: TablePlace): readonly number[] {
    const { targets, belongs } = this.#comparison;
    const names = belongs?.(values, source) ?? targets.map(labelOf);
    const id = names.join();
    let places = this.#placeLists.get(id);
    if (places === undefined) {
      places = names.map((name) => {
        const index = targets.findIndex((target) => labelOf(target) === name);
        if (index < 0) throw new Error(`a row belongs in ${name}, which is not compared`);
        return index;
      });
      if (places.length > MOST_PLACES_OF_A_ROW) throw new Error('a row belongs in too many places');
      this.#placeLists.set(id, places);
    }
    return places;
  }

  async #readTarget(target: TablePlace, index: number): Promise<number> {
    let rows = 0;
    for await (const texts of this.#targetRows(target)) {
      this.#check(target, index, texts);
      rows += 1;
    }
    this.compared += rows;
    return rows;
  }

  async *#targetRows(target: TablePlace): AsyncGenerator<Texts> {
    const read = this.#columns.map(({ target: name, kind }) => ({ name, kind }));
    for await (const piece of (await this.#reader(target)).rows(target.table, read)) {
      for (const row of piece) yield canonicalRow(read, row);
    }
  }

  #check(target: TablePlace, index: number, texts: Texts): void {
    const key = this.#keyOf(texts);
    const expected = this.#rows.get(key);
    const at = expected?.places.indexOf(index) ?? -1;
    // A second row with the same key (a target without a primary key) is one too many.
    if (expected === undefined || at < 0 || (expected.seen & (1 << at)) !== 0)
      return this.#note('extra', target, key);
    expected.seen |= 1 << at;
    if (expected.digest !== digestOf(texts)) this.#note('different', target, key);
  }

  #countMissing(): void {
    const { targets } = this.#comparison;
    for (const [key, { places, seen }] of this.#rows) {
      for (const [at, index] of places.entries()) {
        const target = targets[index];
        if (target === undefined || (seen & (1 << at)) !== 0) continue;
        this.compared += 1;
        this.#note('missing', target, key);
      }
    }
  }

  #note(what: Difference['what'], target: TablePlace, key: string): void {
    this.#counts[what] += 1;
    if (this.#samples.length < SAMPLES_PER_TABLE) this.#samples.push({ target, what, key });
  }

  /** The samples with the names of the columns that differ; reads those rows once more, in the same snapshots. */
  async describeSamples(): Promise<Difference[]> {
    const { table, sources, targets } = this.#comparison;
    const keys = new Set(this.#samples.filter(({ what }) => what === 'different').map(({ key }) => key));
    const ours = new Map<string, Texts>();
    const theirs = new Map<string, Texts>();
    const note = (found: Map<string, Texts>, place: string, texts: Texts): void => {
      const key = this.#keyOf(texts);
      if (keys.has(key)) found.set(`${place}\0${key}`, texts);
    };
    if (keys.size > 0) {
      for (const source of sources)
        for await (const { texts } of this.#expectedRows(source)) note(ours, '', texts);
      for (const target of targets)
        for await (const texts of this.#targetRows(target)) note(theirs, labelOf(target), texts);
    }
    return this.#samples.map(({ target, what, key }) => {
      const sample = { table, target: labelOf(target), what, key: shown(key) };
      if (what !== 'different') return sample;
      const [our, their] = [ours.get(`\0${key}`), theirs.get(`${labelOf(target)}\0${key}`)];
      const columns = this.#columns.filter((_, i) => our?.[i] !== their?.[i]).map((column) => column.target);
      return { ...sample, columns };
    });
  }

  #keyOf(texts: Texts): string {
    return this.#keyIndexes.map((index) => texts[index] ?? '').join('\0');
  }
}

function labelOf({ name, table }: TablePlace): string {
  return `${name}.${table}`;
}

function shown(key: string): string {
  return key.replaceAll('\0', ', ');
}

/** How the columns of all source tables are compared; one name must be one kind everywhere. */
function kindsOf(columns: readonly TableColumn[]): Map<string, ValueKind> {
  const kinds = new Map<string, ValueKind>();
  for (const { name, dataType } of columns) {
    const kind = kindOfMysqlType(dataType);
    const other = kinds.get(name) ?? kind;
    // MariaDB's JSON is a text.
    if (other !== kind && other !== 'json' && kind !== 'json')
      throw new Error(`column ${name} is ${kind} in one source and ${other} in another`);
    kinds.set(name, other === kind ? kind : 'json');
  }
  return kinds;
}

function canonicalRow(columns: readonly ReadColumn[], row: TextRow): Texts {
  return columns.map(({ kind }, i) => {
    const text = row[i] ?? null;
    return text === null ? null : canonical(kind, text);
  });
}

/** NULL and the empty text differ, and so do ("a", "b") and ("ab"). */
function digestOf(texts: Texts): string {
  return hash('sha1', texts.map((text) => (text === null ? '-' : `${text.length}:${text}`)).join(), 'base64');
}

/** `value mod count`, never negative, exact for any whole number: for callers of modulo rules. */
export function remainder(text: string | null | undefined, count: number): number {
  const rest = Number(BigInt(text ?? 0) % BigInt(count));
  return rest < 0 ? rest + count : rest;
}
