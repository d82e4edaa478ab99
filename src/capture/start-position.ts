/** From where a source is read when nothing is saved, and whether a saved position fits the server. Pure. */
import { RowferryError } from '../errors.ts';
import type { BinlogFile } from './binlog-headroom.ts';
import { GtidSet } from '../model/gtid-set.ts';
import type { Position, StartFrom } from '../model/position.ts';
import { namesGtidsAlone } from '../model/position.ts';

/** What the source says of itself. */
export interface SourceFacts {
  readonly flavour: 'mysql' | 'mariadb';
  readonly version: string;
  /** `@@server_uuid`, or `server-<id>` where there is none. */
  readonly server: string;
  /** Current end of the binlog. */
  readonly current: { readonly file: string; readonly offset: number };
  /** Executed GTIDs at `current`; null when the server has no GTIDs switched on. */
  readonly gtid: string | null;
  /**
   * GTIDs of transactions that were still going on just before `gtid` was asked for: they may stand in the binlog by then, and be
   * ferried, for as long as a commit waits for the disk or for a semi-synchronous replica. Absent when there are none.
   */
  readonly owned?: string;
  /** GTIDs that are no longer in the binlog (MySQL `gtid_purged`); the empty set where nothing was purged. */
  readonly purgedGtid: string | null;
  /** The binlog files that are kept, the oldest first. */
  readonly files: readonly BinlogFile[];
  /** How the server names tables, which statements may spell otherwise (`lower_case_table_names`). */
  readonly tableNames: TableNames;
}

/** `exact`: as they are spelled; `lower`: in lower case, whatever a statement says; `any`: nothing is known. */
export type TableNames = 'exact' | 'lower' | 'any';

export function firstPosition(source: string, rule: StartFrom, facts: SourceFacts): Position {
  const { server, current, gtid } = facts;
  switch (rule.kind) {
    // Changes from here on, and the tables as they stand then. A transaction that stands in the binlog while its commit goes on
    // lies before the end of the file and is not among the GTIDs: it still comes, so where there are GTIDs they alone count. The
    // file may be a later one as well: MySQL looks at the GTIDs first, and may begin a new file before it looks at the place.
    case 'snapshot':
    case 'now':
      return gtid === null ? { server, ...current } : { server, file: oldestOf(facts), offset: 4, gtid };
    case 'earliest':
      return {
        server,
        file: oldestOf(facts),
        offset: 4,
        ...(facts.purgedGtid === null ? {} : { gtid: facts.purgedGtid }),
      };
    case 'gtid':
      if (gtid === null) {
        throw new RowferryError(
          'ROWFERRY_SOURCE_PREFLIGHT',
          'startFrom names GTIDs, but the source has none',
          {
            where: { source },
            hint: 'set gtid_mode=ON at the source, or start from a file and position',
          },
        );
      }
      return { server, file: oldestOf(facts), offset: 4, gtid: rule.gtid };
    case 'file':
      return { server, file: rule.file, offset: rule.position };
  }
}

/**
 * The position on the server as it is now: the same, or (C3) after a failover the same GTIDs under another server's files,
 * which is a new epoch. A file position of another server means nothing.
 */
export function positionOnServer(
  source: string,
  saved: Position,
  facts: SourceFacts,
): { readonly position: Position; readonly sameServer: boolean } {
  checkNothingMissing(source, saved, facts);
  checkNothingCut(source, saved, facts);
  if (saved.server === facts.server) return { position: readFrom(saved, facts), sameServer: true };
  if (saved.gtid === undefined || facts.gtid === null) {
    throw new RowferryError(
      'ROWFERRY_SOURCE_POSITION_LOST',
      `the saved position ${saved.file}:${saved.offset} belongs to another server (${saved.server}, this is ${facts.server})`,
      {
        where: { source },
        hint: 'without GTIDs a position cannot follow a failover: go back to that server, or replay from a position of this one',
      },
    );
  }
  return {
    position: { server: facts.server, file: oldestOf(facts), offset: 4, gtid: saved.gtid },
    sameServer: false,
  };
}

/** A place of this server that GTIDs alone name (a replay) is looked for from the oldest file on. */
export function readFrom(saved: Position, facts: SourceFacts): Position {
  return namesGtidsAlone(saved) ? { ...saved, file: oldestOf(facts) } : saved;
}

/** A server that lacks transactions which were already ferried has another history: the targets would keep what it never had. */
function checkNothingMissing(source: string, saved: Position, facts: SourceFacts): void {
  if (saved.gtid === undefined || facts.gtid === null) return;
  const [ferried, executed] = [GtidSet.parse(saved.gtid), GtidSet.parse(facts.gtid)];
  if (ferried.isSubsetOf(executed)) return;
  if (facts.owned !== undefined && ferried.isSubsetOf(executed.union(GtidSet.parse(facts.owned)))) return;
  throw new RowferryError(
    'ROWFERRY_SOURCE_POSITION_LOST',
    `the source (${facts.server}) lacks transactions that were already ferried: saved ${saved.gtid}, it has ${facts.gtid}`,
    {
      where: { source },
      hint: 'it lost them in a crash or failover: bring them back, or fill emptied targets by a pipeline with a new "name"',
    },
  );
}

/** A crash of the machine takes the end of the last file, where that was not on the disk yet; the server then begins another one. */
function checkNothingCut(source: string, { server, file, offset }: Position, facts: SourceFacts): void {
  const size = facts.files.find(({ name }) => name === file)?.size;
  if (server !== facts.server || size === undefined || size >= offset) return;
  throw new RowferryError(
    'ROWFERRY_SOURCE_POSITION_LOST',
    `the source's ${file} ends at ${size}, before the saved position: its binlogs were reset, or a crash cut them`,
    {
      where: { source, position: `${file}:${offset}` },
      hint: 'fill emptied targets by a pipeline with a new "name": they have what the source lost; against a crash set sync_binlog=1',
    },
  );
}

function oldestOf({ files }: SourceFacts): string {
  return files[0]?.name ?? '';
}
