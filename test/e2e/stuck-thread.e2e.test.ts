/** A thread that gets to nothing any more ends the daemon; a process that was frozen as a whole goes on. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

const BUG = 70;
/** A minute, and time for the last alerts and what was read. */
const ENDED_MS = 90_000;

/** A module that every thread of the daemon loads first; the capture's stands still in `work` once `stick` is called. */
function stuckModule(
  pipeline: Pipeline,
  work: string,
): { readonly module: string; readonly stick: () => void } {
  const [module, sign] = [join(pipeline.folder, 'stuck.mjs'), join(pipeline.folder, 'stick')];
  writeFileSync(
    module,
    `import { execFileSync } from 'node:child_process';
     import { existsSync } from 'node:fs';
     import { workerData } from 'node:worker_threads';
     const look = () => { if (existsSync(${JSON.stringify(sign)})) { ${work} } };
     if (workerData?.source === 'main') setInterval(look, 100).unref();`,
  );
  return { module, stick: () => writeFileSync(sign, '') };
}

describe('a daemon', () => {
  it.concurrent('ends with an error that names the thread that is stuck', { timeout: 240_000 }, async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const { module, stick } = stuckModule(pipeline, 'for (;;);');
    const daemon = pipeline.start({ nodeOptions: ['--import', module] });
    await daemon.untilRunning(60_000);
    stick();
    expect(await pipeline.exitOf(daemon, ENDED_MS)).toEqual({ code: BUG, signal: null });
    expect(daemon.log).toMatch(/^ROWFERRY_INVARIANT: the capture main thread has told nothing for 6\d s/m);
    // Somebody is told before the process ends.
    expect(daemon.log).toMatch(/"alert":"role_stopped".*capture main/);
  });

  it.concurrent(
    'kills itself where the thread is in a call that does not come back',
    { timeout: 240_000 },
    async (t) => {
      const pipeline = await Pipeline.create(t, {
        tables: [itemsTable()],
        configure: (config) => (config['drainMs'] = 2_000),
      });
      const work = "execFileSync('sleep', ['200'])";
      const { module, stick } = stuckModule(pipeline, work);
      const daemon = pipeline.start({ nodeOptions: ['--import', module] });
      await daemon.untilRunning(60_000);
      stick();
      expect(await pipeline.exitOf(daemon, ENDED_MS)).toEqual({ code: null, signal: 'SIGKILL' });
      expect(daemon.log).toContain('the capture main thread has told nothing for');
      expect(daemon.log).toContain('a thread cannot be ended');
    },
  );

  it.concurrent('that was frozen for longer than that goes on', { timeout: 240_000 }, async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    daemon.pause();
    // Time that passes is all that this is about.
    await sleep(65_000);
    daemon.resume();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'flows')");
    await pipeline.untilEqual();
    expect(daemon.exit).toBeUndefined();
    expect(daemon.log).not.toContain('has told nothing for');
  });
});
