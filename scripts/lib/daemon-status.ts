/** What a daemon writes of itself twice a second, as far as scripts and tests look at it. */
import { readFileSync } from 'node:fs';

export interface CaptureView {
  readonly source: string;
  readonly state: string;
  readonly position: string | null;
  readonly error: string | null;
  readonly errorCode: string | null;
  /** Tables that wait for an operator since a statement. */
  readonly held: readonly { readonly table: string; readonly statement: string }[];
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
}

export interface DaemonView {
  readonly pid: number;
  readonly timeMs: number;
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly lagMs: number | null;
  readonly captures: readonly CaptureView[];
  readonly partitions: readonly PartitionView[];
}

/** The status that process `pid` wrote; undefined while it has not, or when the file is another's. */
export function readDaemonStatus(file: string, pid: number): DaemonView | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const status = JSON.parse(text) as DaemonView;
  return status.pid === pid ? status : undefined;
}
