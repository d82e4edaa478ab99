/**
 * Runs one role in a worker thread, so that decoding and applying use two cores. The thread reads the configuration itself:
 * no secret travels between threads. It reports its status a few times a second and ends with the role.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { PartitionStatus } from '../apply/partition-progress.ts';
import type { CaptureStatus } from '../capture/capture-progress.ts';
import { loadConfig } from '../config/load.ts';
import type { ErrorCode, ErrorWhere } from '../errors.ts';
import { toRowferryError } from '../errors.ts';
import { createLog } from '../observe/log.ts';
import { ApplyRole } from './apply-role.ts';
import { CaptureRole } from './capture-role.ts';

export interface RoleThreadData {
  readonly configFile: string;
  /** Name of the source to capture, or null for the apply role. */
  readonly source: string | null;
  /** The captures run in this process too. */
  readonly seesSources: boolean;
}

export interface RoleStatus {
  readonly capture: CaptureStatus | null;
  readonly partitions: readonly PartitionStatus[];
}

export type RoleMessage =
  | { readonly type: 'status'; readonly status: RoleStatus }
  | { readonly type: 'failed'; readonly error: SentError };

/** A RowferryError as it crosses a thread boundary. */
export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly where: ErrorWhere;
  readonly hint: string | undefined;
}

const STATUS_MS = 250;

async function runRole(
  port: NonNullable<typeof parentPort>,
  { configFile, source, seesSources }: RoleThreadData,
): Promise<void> {
  const config = loadConfig(configFile, process.env);
  const fields = { pipeline: config.name, role: source === null ? 'apply' : 'capture' };
  const log = createLog({ ...config.log, fields: source === null ? fields : { ...fields, source } });
  const stop = new AbortController();
  port.on('message', () => stop.abort());
  const { role, status } = makeRole();
  const report = setInterval(
    () => port.postMessage({ type: 'status', status: status() } satisfies RoleMessage),
    STATUS_MS,
  );
  try {
    await role.run(stop.signal);
  } catch (thrown) {
    // Asked to stop while it waits for a server, a role ends by its signal's own reason: in order, not by a failure.
    if (stop.signal.aborted && thrown === stop.signal.reason) return;
    const { code, message, where, hint } = toRowferryError(thrown, `running ${fields.role}`);
    port.postMessage({ type: 'status', status: status() } satisfies RoleMessage);
    port.postMessage({ type: 'failed', error: { code, message, where, hint } } satisfies RoleMessage);
  } finally {
    clearInterval(report);
    port.close();
  }

  function makeRole(): { role: { run(signal: AbortSignal): Promise<void> }; status: () => RoleStatus } {
    const settings = config.sources.find(({ name }) => name === source);
    if (settings !== undefined) {
      const capture = new CaptureRole(config, settings, log);
      return { role: capture, status: () => ({ capture: capture.status(), partitions: [] }) };
    }
    const apply = new ApplyRole(config, log, seesSources);
    return { role: apply, status: () => ({ capture: null, partitions: apply.status() }) };
  }
}

if (parentPort !== null) await runRole(parentPort, workerData as RoleThreadData);
