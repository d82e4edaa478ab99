/** Looks at a source before anything is captured: all findings at once, each with what mends it. */
import { RowferryError } from '../errors.ts';
import { collectFacts } from './preflight-facts.ts';
import type { SourceQuery } from './source-query.ts';
import type { BinlogFile } from './binlog-headroom.ts';
import type { PreflightFacts, TableFacts } from './preflight-facts.ts';
import type { Finding } from './preflight-finding.ts';
import { judgeCopies, judgeOwnSchema, judgeServer } from './preflight-rules.ts';
import { judgeLocks } from './preflight-key-rules.ts';
import { judgeTables } from './preflight-table-rules.ts';
import type { SourceFacts } from './start-position.ts';
import type { DeclaredKeys } from '../model/declared-key.ts';
import { TableFilter } from '../model/table-filter.ts';
import type { TablePattern } from '../model/table-filter.ts';

interface PreflightOptions {
  /** The source's name in the configuration, for errors. */
  readonly name: string;
  /** Our replica server id. */
  readonly serverId: number;
  /** Patterns as `TableFilter` takes them. */
  readonly tables: readonly string[];
  /** Keys that are declared for tables. */
  readonly keys: DeclaredKeys;
  readonly keyless?: 'refuse' | 'append';
  /** The tables will be copied, for which marks are written at the source. */
  readonly copies: boolean;
  /** A heartbeat row has to come by. */
  readonly heartbeatRow?: boolean;
}

export interface Preflight {
  readonly findings: readonly Finding[];
  /** Where the source stands. Only to be used when no finding is an error. */
  readonly facts: SourceFacts;
  /** Captured tables as the catalog describes them today. */
  readonly tables: readonly TableFacts[];
  /** Binlog files, oldest first. */
  readonly logs: readonly BinlogFile[];
}

/** Asks the source and judges the answers. Rejects only when the source cannot be asked. */
export async function preflightSource(query: SourceQuery, options: PreflightOptions): Promise<Preflight> {
  const filter = new TableFilter(options.tables);
  let facts: PreflightFacts;
  try {
    facts = await collectFacts(query, filter);
  } catch (error) {
    throw error instanceof RowferryError ? error.at({ source: options.name }) : error;
  }
  const { flavour, version, serverUuid, current, gtid, owned, purgedGtid, tables, logs } = facts;
  return {
    findings: evaluateSource(facts, {
      serverId: options.serverId,
      includes: filter.includes,
      keys: options.keys,
      keyless: options.keyless ?? 'refuse',
      copies: options.copies,
      heartbeatRow: options.heartbeatRow ?? false,
    }),
    facts: {
      flavour,
      version,
      server: serverUuid,
      current: current ?? { file: '', offset: 0 },
      gtid,
      ...(owned === undefined ? {} : { owned }),
      purgedGtid,
      files: logs,
      tableNames: TABLE_NAMES[facts.variables.get('lower_case_table_names') ?? ''] ?? 'any',
    },
    tables,
    logs,
  };
}

const TABLE_NAMES: Readonly<Record<string, SourceFacts['tableNames']>> = { '0': 'exact', '1': 'lower' };

/** What the pipeline wants of the source. */
interface Wanted {
  readonly serverId: number;
  readonly includes: readonly TablePattern[];
  readonly keys: DeclaredKeys;
  readonly keyless?: 'refuse' | 'append';
  readonly copies: boolean;
  readonly heartbeatRow?: boolean;
}

/** Judges the facts; pure. Errors first, each in the order in which an operator would mend them. */
export function evaluateSource(
  facts: PreflightFacts,
  { serverId, includes, keys, keyless, copies, heartbeatRow = false }: Wanted,
): Finding[] {
  const findings = [
    ...judgeServer(facts, serverId),
    ...judgeTables(facts, includes, keys, keyless),
    ...(copies ? judgeCopies(facts) : []),
    ...(copies || heartbeatRow ? judgeOwnSchema(facts) : []),
    ...(copies && keyless === 'append' ? judgeLocks(facts, keys) : []),
  ];
  return findings.toSorted((a, b) => Number(a.level === 'warning') - Number(b.level === 'warning'));
}

/** Two lines a finding: what is wrong and what mends it. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings
    .map(({ level, code, what, mend }) => `${level} ${code}: ${what}\n    mend: ${mend}`)
    .join('\n');
}
