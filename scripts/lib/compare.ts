/**
 * Compares every row of source tables with every row of the target tables that should hold them: each row in exactly the
 * right places with exactly the same values, and nothing else anywhere.
 *
 * The source is read once into a map of key -> digest (some 150 bytes a row); each target is streamed against it. Nothing is
 * assumed about sort orders, which differ between engines and collations.
 */
import { hash } from 'node:crypto';
import { canonical, kindOfMysqlType } from './canonical.ts';
import type { ReadColumn, TableReader, TextRow } from './table-reader.ts';
import { openTableReader } from './table-reader.ts';

/** A table in a database; the URL names the database. */
export interface TablePlace {
  /** How the report calls the database. */
  readonly name: string;
  readonly url: string;
  readonly table: string;
}

export interface TableComparison {
  readonly source: TablePlace;
  readonly targets: readonly TablePlace[];
  readonly key: readonly string[];
  /** Column that decides, by its value modulo the number of targets; null: every target has every row. */
  readonly shardBy: string | null;
  /** Source column -> target column, where the names differ. */
  readonly renamed?: Readonly<Record<string, string>>;
}

export interface Difference {
  readonly table: string;
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
  /** Rows found at each target, in order. */
  readonly targetRows: readonly { readonly target: string; readonly rows: number }[];
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

/** A row's canonical texts. */
type Texts = readonly (string | null)[];

/** What is known of a source row; the bits of `seen` are the targets that have it. */
interface SourceRow {
  readonly digest: string;
  /** Index of the one target that should have it, or -1: all of them. */
  readonly place: number;
  seen: number;
}

class TableCompare {
  readonly #comparison: TableComparison;
  readonly #reader: (place: TablePlace) => Promise<TableReader>;
  readonly #rows = new Map<string, SourceRow>();
  readonly #samples: { target: TablePlace; what: Difference['what']; key: string }[] = [];
  readonly #counts = { missing: 0, extra: 0, different: 0 };
  #columns: readonly ReadColumn[] = [];
  #keyIndexes: readonly number[] = [];
  compared = 0;

  constructor(comparison: TableComparison, reader: (place: TablePlace) => Promise<TableReader>) {
    this.#comparison = comparison;
    this.#reader = reader;
  }

  async run(): Promise<TableResult> {
    const { source, targets } = this.#comparison;
    await this.#plan();
    await this.#readSource();
    const targetRows: { target: string; rows: number }[] = [];
    for (const [index, target] of targets.entries()) {
      targetRows.push({ target: target.name, rows: await this.#readTarget(target, index) });
    }
    this.#countMissing();
    return { table: source.table, sourceRows: this.#rows.size, targetRows, ...this.#counts };
  }

  async #plan(): Promise<void> {
    const { source, targets, key } = this.#comparison;
    const found = await (await this.#reader(source)).columns(source.table);
    if (found.length === 0) throw new Error(`${source.name} has no table ${source.table}`);
    const jsonAtTarget = new Set<string>();
    for (const target of targets) {
      const columns = await (await this.#reader(target)).columns(target.table);
      const types = new Map(columns.map(({ name, dataType }) => [name, dataType]));
      for (const { name } of found) {
        const type = types.get(this.#targetName(name));
        if (type === undefined)
          throw new Error(`${target.name}.${target.table} has no column ${this.#targetName(name)}`);
        if (type.startsWith('json')) jsonAtTarget.add(name);
      }
    }
    // MariaDB's JSON is a text: whoever keeps it as JSON may print it otherwise.
    this.#columns = found.map(({ name, dataType }) => ({
      name,
      kind: jsonAtTarget.has(name) ? 'json' : kindOfMysqlType(dataType),
    }));
    this.#keyIndexes = key.map((name) => this.#indexOf(name));
  }

  async #readSource(): Promise<void> {
    const { source, targets, shardBy } = this.#comparison;
    const shardIndex = shardBy === null ? -1 : this.#indexOf(shardBy);
    for await (const piece of (await this.#reader(source)).rows(source.table, this.#columns)) {
      for (const row of piece) {
        const texts = this.#canonicalRow(row);
        const place = shardIndex < 0 ? -1 : remainder(row[shardIndex] ?? null, targets.length);
        this.#rows.set(this.#keyOf(texts), { digest: digestOf(texts), place, seen: 0 });
      }
    }
  }

  async #readTarget(target: TablePlace, index: number): Promise<number> {
    let rows = 0;
    for await (const piece of (await this.#reader(target)).rows(target.table, this.#targetColumns())) {
      for (const row of piece) this.#check(target, index, this.#canonicalRow(row));
      rows += piece.length;
    }
    this.compared += rows;
    return rows;
  }

  #check(target: TablePlace, index: number, texts: Texts): void {
    const key = this.#keyOf(texts);
    const expected = this.#rows.get(key);
    const bit = 1 << index;
    const belongs = expected !== undefined && (expected.place < 0 || expected.place === index);
    // A second row with the same key (a target without a primary key) is one too many.
    if (!belongs || (expected.seen & bit) !== 0) return this.#note('extra', target, key);
    expected.seen |= bit;
    if (expected.digest !== digestOf(texts)) this.#note('different', target, key);
  }

  #countMissing(): void {
    const { targets } = this.#comparison;
    for (const [key, { place, seen }] of this.#rows) {
      for (const [index, target] of targets.entries()) {
        if ((place < 0 || place === index) && (seen & (1 << index)) === 0) {
          this.compared += 1;
          this.#note('missing', target, key);
        }
      }
    }
  }

  #note(what: Difference['what'], target: TablePlace, key: string): void {
    this.#counts[what] += 1;
    if (this.#samples.length < SAMPLES_PER_TABLE) this.#samples.push({ target, what, key });
  }

  /** The samples with the names of the columns that differ; reads those rows once more, in the same snapshots. */
  async describeSamples(): Promise<Difference[]> {
    const { source, targets } = this.#comparison;
    const keys = new Set(this.#samples.filter(({ what }) => what === 'different').map(({ key }) => key));
    const ours = keys.size === 0 ? new Map<string, Texts>() : await this.#find(source, keys, false);
    const theirs = new Map<TablePlace, Map<string, Texts>>();
    for (const target of keys.size === 0 ? [] : targets)
      theirs.set(target, await this.#find(target, keys, true));
    return this.#samples.map(({ target, what, key }) => {
      const sample = { table: source.table, target: target.name, what, key: key.replaceAll('\0', ', ') };
      if (what !== 'different') return sample;
      const [our, their] = [ours.get(key), theirs.get(target)?.get(key)];
      const columns = this.#columns.filter((_, i) => our?.[i] !== their?.[i]).map(({ name }) => name);
      return { ...sample, columns };
    });
  }

  async #find(place: TablePlace, keys: ReadonlySet<string>, atTarget: boolean): Promise<Map<string, Texts>> {
    const columns = atTarget ? this.#targetColumns() : this.#columns;
    const found = new Map<string, Texts>();
    for await (const piece of (await this.#reader(place)).rows(place.table, columns)) {
      for (const row of piece) {
        const texts = this.#canonicalRow(row);
        const key = this.#keyOf(texts);
        if (keys.has(key)) found.set(key, texts);
      }
    }
    return found;
  }

  #canonicalRow(row: TextRow): Texts {
    return this.#columns.map(({ kind }, i) => {
      const text = row[i] ?? null;
      return text === null ? null : canonical(kind, text);
    });
  }

  #keyOf(texts: Texts): string {
    return this.#keyIndexes.map((index) => texts[index] ?? '').join('\0');
  }

  #indexOf(name: string): number {
    const index = this.#columns.findIndex((column) => column.name === name);
    if (index < 0) throw new Error(`${this.#comparison.source.table} has no column ${name}`);
    return index;
  }

  #targetColumns(): ReadColumn[] {
    return this.#columns.map(({ name, kind }) => ({ name: this.#targetName(name), kind }));
  }

  #targetName(name: string): string {
    return this.#comparison.renamed?.[name] ?? name;
  }
}

/** NULL and the empty text differ, and so do ("a", "b") and ("ab"). */
function digestOf(texts: Texts): string {
  return hash('sha1', texts.map((text) => (text === null ? '-' : `${text.length}:${text}`)).join(), 'base64');
}

/** `value mod count`, never negative, exact for any whole number. */
function remainder(text: string | null, count: number): number {
  const rest = Number(BigInt(text ?? 0) % BigInt(count));
  return rest < 0 ? rest + count : rest;
}
