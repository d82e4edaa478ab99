/** What is asked of every source: its flavour and version, and where its binlog ends, in the words of that version. */

/**
 * Runs one statement on the source; values are the server's text, or null. Rejects with ROWFERRY_SOURCE_ACCESS when the
 * account lacks a grant.
 */
export type SourceQuery = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

export type Flavour = 'mysql' | 'mariadb';

export interface BinlogEnd {
  readonly file: string;
  readonly offset: number;
}

export type Release = readonly [major: number, minor: number, patch: number];

/** The place that comes next, as the server counts; null where there is no binlog. */
export async function readBinlogEnd(query: SourceQuery): Promise<BinlogEnd | null> {
  const [server] = await query('SELECT VERSION() AS version');
  const version = String(server?.['version']);
  const [place] = await query(statementsOf(flavourOf(version), releaseOf(version)).status);
  return endOf(place);
}

/** `place` is the row that the status statement answers. */
export function endOf(place: Readonly<Record<string, unknown>> | undefined): BinlogEnd | null {
  return place === undefined ? null : { file: String(place['File']), offset: Number(place['Position']) };
}

export function flavourOf(version: string): Flavour {
  return version.includes('MariaDB') ? 'mariadb' : 'mysql';
}

export function releaseOf(version: string): Release {
  const [, major, minor, patch] = /(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0), Number(patch ?? 0)];
}

/** MySQL renamed what speaks of masters and slaves; MariaDB still knows the old words. */
export function statementsOf(flavour: Flavour, [major, minor, patch]: Release) {
  const since = (...wanted: Release): boolean =>
    flavour === 'mysql' && (major - wanted[0] || minor - wanted[1] || patch - wanted[2]) >= 0;
  return {
    status: since(8, 2, 0) ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
    replicas: since(8, 0, 22) ? 'SHOW REPLICAS' : 'SHOW SLAVE HOSTS',
  };
}
