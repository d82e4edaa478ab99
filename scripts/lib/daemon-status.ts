/** What a daemon writes of itself twice a second, as far as scripts and tests look at it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CaptureView {
  readonly source: string;
  readonly state: string;
  /** How far Kafka is behind the source. */
  readonly lagMs: number | null;
  readonly position: string | null;
  readonly error: string | null;
  readonly errorCode: string | null;
  /** Tables that wait for an operator since a statement. */
  readonly held: readonly {
    readonly table: string;
    readonly statement: string;
    readonly waits: string | null;
  }[];
  readonly catchesUp: boolean;
  readonly binlogOlderBytes: number | null;
  readonly binlogBehindBytes: number | null;
  /** Tables that are copied or were. */
  readonly copies: readonly { readonly table: string; readonly state: string; readonly rows: number }[];
}

export interface PartitionView {
  readonly topic: string;
  readonly partition: number;
  readonly state: string;
  readonly next: number | null;
  readonly rows: number;
  readonly moves: number;
  readonly parked: number;
  readonly lagMs: number | null;
  /** Every commit of the source up to this time is applied here. */
  readonly appliedUntilMs: number | null;
  readonly error: string | null;
  readonly errorCode: string | null;
  /** Since when it is in its state, and when what stopped is tried again: milliseconds since 1970. */
  readonly sinceMs: number;
  readonly nextTryMs: number | null;
}

/** A part that waits for a server. */
export interface OutageView {
  readonly part: string;
  readonly phase: 'trying' | 'probing';
  readonly server: string | null;
  readonly tries: number;
  readonly errorCode: string;
}

export interface TargetView {
  readonly target: string;
  readonly lagMs: number | null;
}

export interface DaemonView {
  readonly pid: number;
  /** Where its API answers. */
  readonly http: string | null;
  readonly timeMs: number;
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly lagMs: number | null;
  /** Seconds from commit to applied, of all changes since it started. */
  readonly delays: HistogramView | null;
  readonly captures: readonly CaptureView[];
  readonly partitions: readonly PartitionView[];
  readonly outages: readonly OutageView[];
  /** Each target as the partitions of this process have it. */
  readonly targets: readonly TargetView[];
}

/** A histogram: one count a bucket, not cumulative; the last bucket has no upper bound. */
export interface HistogramView {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

/** The status that process `pid` wrote; undefined while it has not. */
export function readDaemonStatus(runDir: string, name: string, pid: number): DaemonView | undefined {
  try {
    const file = readdirSync(runDir).find(
      (found) => found.startsWith(`${name}.`) && found.endsWith(`.${pid}.status.json`),
    );
    return file === undefined
      ? undefined
      : (JSON.parse(readFileSync(join(runDir, file), 'utf8')) as DaemonView);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
