/** What the preflight says of a source. */
import { quoteName } from '../model/mysql-literals.ts';

/** Names of findings; they never change their meaning. */
export type FindingCode =
  | 'version'
  | 'log-bin'
  | 'binlog-format'
  | 'binlog-row-image'
  | 'binlog-row-metadata'
  | 'binlog-row-value-options'
  | 'binlog-transaction-compression'
  | 'binlog-order-commits'
  | 'durability'
  | 'gtid-mode'
  | 'server-id'
  | 'retention'
  | 'grant-replication'
  | 'grant-monitor'
  | 'grant-select'
  | 'grant-lock'
  | 'grant-mark'
  | 'binlog-filter'
  | 'read-only'
  | 'no-table'
  | 'table-kind'
  | 'table-key'
  | 'table-engine'
  | 'column-type'
  | 'column-charset'
  | 'foreign-key-cascade';

export interface Finding {
  /** An error keeps the source from being captured; a warning will hurt some day. */
  readonly level: 'error' | 'warning';
  readonly code: FindingCode;
  readonly what: string;
  /** A statement for the source, a line for its my.cnf, or a line for rowferry's configuration. */
  readonly mend: string;
}

/** `schema`.`table`, ready for SQL. */
export function quoteTable(schema: string, name: string): string {
  return `${quoteName(schema)}.${quoteName(name)}`;
}

/** `rowferry@%` as SQL wants it. */
export function quoteAccount(account: string): string {
  const at = account.lastIndexOf('@');
  return at < 0
    ? quoteName(account)
    : `${quoteName(account.slice(0, at))}@${quoteName(account.slice(at + 1))}`;
}
