/** Looks at a source before anything is captured: all findings at once, each with what mends it. */
import { RowferryError } from '../errors.ts';
import { collectFacts } from './preflight-facts.ts';
import type { BinlogFile, Flavour, SourceQuery, TableFacts } from './preflight-facts.ts';
import { evaluateSource } from './preflight-rules.ts';
import type { Finding } from './preflight-rules.ts';
import { TableFilter } from './table-filter.ts';

export interface PreflightOptions {
  /** Our replica server id. */
  readonly serverId: number;
  /** Patterns as `TableFilter` takes them. */
  readonly tables: readonly string[];
  /** The first start is at a GTID set, so the source must have GTIDs. */
  readonly startsAtGtid: boolean;
}

export interface Preflight {
  readonly flavour: Flavour;
  readonly version: string;
  /** The `server` of a position. */
  readonly serverUuid: string;
  readonly findings: readonly Finding[];
  readonly tables: readonly TableFacts[];
  /** Executed GTID set (MySQL) or GTID position (MariaDB) just now. */
  readonly gtid: string;
  /** Binlog files, oldest first. */
  readonly logs: readonly BinlogFile[];
}

/** Asks the source and judges the answers. Rejects only when the source cannot be asked. */
export async function preflightSource(query: SourceQuery, options: PreflightOptions): Promise<Preflight> {
  const filter = new TableFilter(options.tables);
  const facts = await collectFacts(query, filter);
  const { flavour, version, serverUuid, tables, gtid, logs } = facts;
  const findings = evaluateSource(facts, {
    serverId: options.serverId,
    includes: filter.includes,
    startsAtGtid: options.startsAtGtid,
  });
  return { flavour, version, serverUuid, findings, tables, gtid, logs };
}

/** Two lines a finding: what is wrong and what mends it. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings
    .map(({ level, code, what, mend }) => `${level} ${code}: ${what}\n    mend: ${mend}`)
    .join('\n');
}

/** Throws ROWFERRY_SOURCE_PREFLIGHT with every error, or returns when there is none. */
export function refuseErrors({ findings }: Preflight, source: string): void {
  const errors = findings.filter((finding) => finding.level === 'error');
  if (errors.length === 0) return;
  throw new RowferryError('ROWFERRY_SOURCE_PREFLIGHT', formatFindings(errors), { where: { source } });
}
