/** Reads the profiles that Node's `--cpu-prof` leaves, one a thread, and tells which functions took the time. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { textTable } from '../../src/cli/text-table.ts';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds. */
  readonly timeDeltas: readonly number[];
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TOP = 25;
const IDLE = new Set(['(idle)', '(program)', '(root)']);

/** Lines of a report for each thread that did more than nothing. */
export function profileReport(folder: string): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'));
  return files.flatMap((file) =>
    threadReport(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile),
  );
}

function threadReport({ nodes, samples, timeDeltas }: Profile): string[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const byFunction = new Map<string, number>();
  const byFile = new Map<string, number>();
  let busyMs = 0;
  samples.forEach((id, i) => {
    const frame = frames.get(id);
    if (frame === undefined || IDLE.has(frame.functionName)) return;
    const ms = (timeDeltas[i] ?? 0) / 1_000;
    busyMs += ms;
    const file = fileOf(frame.url);
    add(byFile, file, ms);
    add(byFunction, `${frame.functionName || '(anonymous)'} ${file}:${frame.lineNumber + 1}`, ms);
  });
  if (busyMs < 100) return [];
  return [
    '',
    `a thread that was busy for ${(busyMs / 1_000).toFixed(1)} s`,
    ...ranking('function', byFunction, busyMs),
    '',
    ...ranking('file', byFile, busyMs),
  ];
}

function ranking(what: string, times: ReadonlyMap<string, number>, allMs: number): string[] {
  const top = [...times].toSorted(([, a], [, b]) => b - a).slice(0, TOP);
  return textTable(
    [what, 'self ms', 'share'],
    top.map(([name, ms]) => [name, Math.round(ms), `${((100 * ms) / allMs).toFixed(1)} %`]),
  );
}

function fileOf(url: string): string {
  if (!url.startsWith('file:')) return url === '' ? '(engine)' : url;
  return relative(ROOT, fileURLToPath(url));
}

function add(map: Map<string, number>, key: string, amount: number): void {
  map.set(key, (map.get(key) ?? 0) + amount);
}
