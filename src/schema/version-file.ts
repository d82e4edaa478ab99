/** The files that a target's schema is kept in: `V001__shop.sql`, `V002__shop_indexes.sql`, … Pure. */
import { createHash } from 'node:crypto';
import { RowferryError } from '../errors.ts';

export interface VersionFile {
  readonly version: number;
  readonly name: string;
  readonly text: string;
}

const NAME = /^V(\d{3,6})__[^/\\]+\.sql$/;

export function versionName(version: number, label: string): string {
  return `V${String(version).padStart(3, '0')}__${label.replaceAll(/[^\w-]+/g, '_')}.sql`;
}

/** Ends the label of files whose indexes are made once the rows are copied. */
export const INDEXES = '_indexes';

export function isForAfterCopy({ name }: VersionFile): boolean {
  return name.endsWith(`${INDEXES}.sql`);
}

/** Undefined for other files. */
export function versionOf(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** In order. Throws ROWFERRY_SCHEMA_HISTORY when a number is given twice. */
export function sortedVersions(files: readonly VersionFile[]): VersionFile[] {
  const sorted = files.toSorted((a, b) => a.version - b.version);
  for (const [index, file] of sorted.entries()) {
    const twin = sorted[index - 1];
    if (twin?.version !== file.version) continue;
    throw new RowferryError('ROWFERRY_SCHEMA_HISTORY', `${twin.name} and ${file.name} have the same number`, {
      hint: 'give each file a number of its own',
    });
  }
  return sorted;
}

/** SHA-256, 64 hexadecimal digits. How lines end is the business of the tool that keeps the files. */
export function checksum(text: string): string {
  return createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');
}

export interface VersionHeader {
  readonly version: number;
  readonly pipeline: string;
  readonly target: string;
  readonly engine: string;
  /** A source, then its tables and where they go: `main (mysql 9.7.1)`, `  shop.orders -> orders_00, orders_01`. */
  readonly routes: readonly string[];
  readonly notes: readonly { readonly about: string; readonly what: string }[];
  readonly byHand: readonly string[];
  /** What the file is for. */
  readonly purpose: string;
}

export function versionText(header: VersionHeader, statements: readonly string[]): string {
  const { version, pipeline, target, engine, routes, notes, byHand, purpose } = header;
  const list = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
  const lines = [
    `Target ${target} (${engine}) of pipeline ${pipeline}, version ${version}: ${purpose}.`,
    'Planned by rowferry. Review it, and change it where needed, before it is applied; once applied it must stay as it is.',
    ...list('Where the rows come from:', routes),
    ...list(
      'Not as at the source:',
      notes.map(({ about, what }) => `${about}: ${what}`),
    ),
    ...list('Left to be done by hand:', byHand),
  ];
  const comment = lines.map((line) =>
    `-- ${line.replaceAll(/\s+/g, (gap) => (/[\n\r]/.test(gap) ? ' ' : gap))}`.trimEnd(),
  );
  return `${comment.join('\n')}\n\n${paragraphs(statements).join('\n')}`;
}

/** An empty line around statements of several lines; those of one line stand together. */
function paragraphs(statements: readonly string[]): string[] {
  return statements
    .map((statement, i) => {
      const next = statements[i + 1];
      const isShort = next === undefined || ![statement, next].some((text) => text.includes('\n'));
      return `${statement};${isShort ? '' : '\n'}`;
    })
    .concat('');
}
