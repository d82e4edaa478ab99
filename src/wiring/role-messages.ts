/** What the daemon and the threads of its roles tell each other. Plain data: it crosses a thread boundary. */
import type { ApplyCounts } from '../apply/apply-counters.ts';
import type { PartitionStatus } from '../apply/partition-progress.ts';
import type { TargetStatus } from '../apply/target-status.ts';
import type { CaptureStatus } from '../capture/capture-progress.ts';
import type { LogSettings } from '../config/config.ts';
import type { ErrorCode, ErrorWhere } from '../errors.ts';
import type { OutageStatus } from '../runtime/outages.ts';
import type { Pause } from './pauses.ts';
import type { MissingTables } from './target-tables.ts';
import type { ThreadHealth } from './thread-health.ts';

export interface RoleThreadData {
  readonly configFile: string;
  /** Name of the source to capture, or null for the apply role. */
  readonly source: string | null;
  /** The captures run in this process too. */
  readonly seesSources: boolean;
}

/** What every role tells. */
interface CommonStatus {
  readonly pause: Pause | null;
  /** Times that a membership of its group broke and began again. */
  readonly groupBreaks: number;
  /** Servers that its parts wait for. */
  readonly outages: readonly OutageStatus[];
  readonly thread: ThreadHealth;
}

export interface CaptureRoleStatus extends CommonStatus {
  readonly role: 'capture';
  readonly capture: CaptureStatus;
  /** Times that it began again, by the error's code. */
  readonly retries: Readonly<Partial<Record<ErrorCode, number>>>;
}

export interface ApplyRoleStatus extends CommonStatus {
  readonly role: 'apply';
  readonly partitions: readonly PartitionStatus[];
  readonly targets: readonly TargetStatus[];
  readonly counts: ApplyCounts;
  /** Of coming periods, as of the last look. */
  readonly missingTables: readonly MissingTables[];
}

export type RoleStatus = CaptureRoleStatus | ApplyRoleStatus;

/** A role as its thread told of it last. */
export interface RoleView {
  /** `apply`, or `capture` and the source's name. */
  readonly name: string;
  /** Undefined before its first report. */
  readonly status: RoleStatus | undefined;
  /** When it reported, milliseconds since 1970; its start before the first report. */
  readonly reportedMs: number;
  /** What ended it for good. */
  readonly failureCode?: ErrorCode | undefined;
}

export type RoleMessage =
  | { readonly type: 'status'; readonly status: RoleStatus }
  /** Apply: its routes fit the targets and what is stored. */
  | { readonly type: 'checked' }
  | { readonly type: 'failed'; readonly error: SentError };

/** A RowferryError as it crosses a thread boundary. */
export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly where: ErrorWhere;
  readonly hint: string | undefined;
}

export type RoleCommand =
  | { readonly type: 'stop' }
  /** A pause was asked for or ended: look now. */
  | { readonly type: 'look' }
  /** What waits for its next try makes it now. */
  | { readonly type: 'try' }
  | { readonly type: 'log-level'; readonly level: LogSettings['level'] };
