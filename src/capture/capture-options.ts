/** How a source is captured. */
import type { Log } from '../model/log.ts';
import type { StartFrom } from '../model/position.ts';
import type { Outages } from '../runtime/outages.ts';
import type { SnapshotSettings } from './copy-parts.ts';
import type { SchemaPolicy } from './schema-policy.ts';

export interface CaptureOptions {
  readonly pipeline: string;
  readonly source: string;
  readonly partitions: number;
  readonly format: 'chunk' | 'row';
  readonly chunkBytes: number;
  readonly queueBytes: number;
  readonly checkpointMs: number;
  readonly heartbeatMs: number;
  /** Whether a heartbeat row is written, each `heartbeatMs`. */
  readonly heartbeatRow: boolean;
  readonly start: StartFrom;
  readonly captures: (schema: string, table: string) => boolean;
  readonly keyless: 'refuse' | 'append';
  /** Whether the table's key is one that the configuration declares. */
  readonly hasDeclaredKey: (schema: string, table: string) => boolean;
  /** Whether any table of the schema could be captured. */
  readonly capturesIn: (schema: string) => boolean;
  readonly by: string;
  readonly snapshot: SnapshotSettings;
  readonly schemaPolicy: SchemaPolicy;
  readonly outages: Outages;
  /** The link is open: rows come. */
  readonly onReading: () => void;
  readonly log: Log;
}
