/**
 * Runs one role in a worker thread, so that decoding and applying use two cores. The thread reads the configuration itself:
 * no secret travels between threads. It reports its status a few times a second and ends with the role.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadConfig } from '../config/load.ts';
import { toRowferryError } from '../errors.ts';
import { createLog } from '../observe/log.ts';
import { ApplyRole } from './apply-role.ts';
import { CaptureRole } from './capture-role.ts';
import type { RoleCommand, RoleMessage, RoleStatus, RoleThreadData } from './role-messages.ts';
import { ThreadWatch } from './thread-health.ts';

const STATUS_MS = 250;

async function runRole(
  port: NonNullable<typeof parentPort>,
  { configFile, source, seesSources }: RoleThreadData,
): Promise<void> {
  const config = loadConfig(configFile, process.env);
  const fields = { pipeline: config.name, role: source === null ? 'apply' : 'capture' };
  const log = createLog({ ...config.log, fields: source === null ? fields : { ...fields, source } });
  const stop = new AbortController();
  const checked = (): void => port.postMessage({ type: 'checked' } satisfies RoleMessage);
  const settings = config.sources.find(({ name }) => name === source);
  const role =
    settings === undefined
      ? new ApplyRole(config, log, seesSources, checked)
      : new CaptureRole(config, settings, log);
  port.on('message', (command: RoleCommand) => {
    if (command.type === 'stop') stop.abort();
    else if (command.type === 'look') role.lookForPauses();
    else if (command.type === 'try') role.tryNow();
    else log.setLevel(command.level);
  });
  const watch = new ThreadWatch();
  const report = (): void => {
    const status: RoleStatus = { ...role.status(), thread: watch.read() };
    port.postMessage({ type: 'status', status } satisfies RoleMessage);
  };
  const reporting = setInterval(report, STATUS_MS);
  try {
    await role.run(stop.signal);
  } catch (thrown) {
    // Asked to stop while it waits for a server, a role ends by its signal's own reason: in order, not by a failure.
    if (stop.signal.aborted && thrown === stop.signal.reason) return;
    const { code, message, where, hint } = toRowferryError(thrown, `running ${fields.role}`);
    report();
    port.postMessage({ type: 'failed', error: { code, message, where, hint } } satisfies RoleMessage);
  } finally {
    clearInterval(reporting);
    watch.stop();
    port.close();
  }
}

if (parentPort !== null) await runRole(parentPort, workerData as RoleThreadData);
