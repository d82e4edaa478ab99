/**
 * The processor time that the control groups of this process allow it, as `CPUQuota`, a container or a pod limits it: of version 2
 * (`cpu.max`, `cpu.stat`) and of version 1 (`cpu.cfs_quota_us`, `cpuacct.usage`). A group above may be the one that limits. Reading
 * is the caller's; what is here is pure.
 */

/** Text of a file; undefined when it is not there. */
type ReadText = (path: string) => string | undefined;

/** A control group that limits processor time, at one moment. */
export interface CpuGroup {
  readonly folder: string;
  /** Processors that it may use at a time, of all its processes; 0.5 is half of one. */
  readonly processors: number;
  /** Processor time that all of them have used since the group began. */
  readonly usedSeconds: number;
}

/** The groups that this process is in and that limit it, its own first. `machine`: processors of the machine; no less is no limit. */
export function cpuGroups(read: ReadText, machine: number): readonly CpuGroup[] {
  const groups = [...ownGroups(read)].flatMap(({ version, folder, usage }) => {
    const processors = version === 2 ? limitOfMax(read(`${folder}/cpu.max`)) : limitOfQuota(read, folder);
    const usedSeconds =
      version === 2 ? usedOfStat(read(`${folder}/cpu.stat`)) : usedOfUsage(read(`${usage}/cpuacct.usage`));
    if (processors === undefined || usedSeconds === undefined || processors >= machine) return [];
    return [{ folder, processors, usedSeconds }];
  });
  return groups;
}

/** What was used of what was allowed between two looks, in the group that was closest to its limit; null when none tells. */
export function groupUsage(
  first: readonly CpuGroup[],
  last: readonly CpuGroup[],
  elapsedSeconds: number,
): number | null {
  const shares = last.flatMap(({ folder, processors, usedSeconds }) => {
    const before = first.find((group) => group.folder === folder);
    if (before === undefined || elapsedSeconds <= 0) return [];
    return [(usedSeconds - before.usedSeconds) / (elapsedSeconds * processors)];
  });
  return shares.length === 0 ? null : Math.min(1, Math.max(0, ...shares));
}

interface GroupFolder {
  readonly version: 1 | 2;
  readonly folder: string;
  /** Where version 1 counts what is used, which may be mounted elsewhere. */
  readonly usage: string;
}

/** The folders of a process's group and of those above it, as far as they are mounted. */
function* ownGroups(read: ReadText): Generator<GroupFolder> {
  const lines = (read('/proc/self/cgroup') ?? '').split('\n').map(groupLine);
  const mounts = (read('/proc/self/mountinfo') ?? '').split('\n').flatMap((line) => mountOf(line) ?? []);
  const folderOf = (controller: string | null): readonly string[] => {
    const group = lines.find(({ controllers }) =>
      controller === null ? controllers === '' : controllers.split(',').includes(controller),
    );
    const mount = mounts.find(({ type, options }) =>
      controller === null ? type === 'cgroup2' : type === 'cgroup' && options.includes(controller),
    );
    return group === undefined || mount === undefined ? [] : upwards(mount, group.path);
  };
  for (const folder of folderOf(null)) yield { version: 2, folder, usage: folder };
  const usages = folderOf('cpuacct');
  const folders = folderOf('cpu');
  for (const [at, folder] of folders.entries()) {
    // Both trees end at their root; where the ways differ in length the counters of another group would be read.
    const usage = usages.length === folders.length ? usages[at] : undefined;
    if (usage !== undefined) yield { version: 1, folder, usage };
  }
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** `31 23 0:28 /root /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct`. */
function mountOf(line: string): Mount | undefined {
  const [before = '', after = ''] = line.split(' - ');
  const [, , , root, point] = before.split(' ');
  const [type, , options = ''] = after.split(' ');
  if (root === undefined || point === undefined || type === undefined) return undefined;
  return { root, point, type, options: options.split(',') };
}

/** `4:cpu,cpuacct:/docker/0a1b`; version 2 names no controllers. */
function groupLine(line: string): { readonly controllers: string; readonly path: string } {
  const [id = '', controllers = '', ...path] = line.split(':');
  return { controllers: id === '' ? 'none' : controllers, path: path.join(':') };
}

/** A container sees its own group as the root of what is mounted, whatever the path of the process says. */
function upwards({ root, point }: Mount, path: string): string[] {
  const base = root === '/' ? '' : root;
  const below = path === base || path.startsWith(`${base}/`) ? path.slice(base.length) : '';
  const parts = below.split('/').filter((part) => part !== '' && part !== '..');
  return [...parts.keys(), parts.length]
    .map((count) => [point, ...parts.slice(0, count)].join('/'))
    .toReversed();
}

/** `150000 100000` is one and a half processor; `max 100000` is no limit. */
function limitOfMax(text: string | undefined): number | undefined {
  const [quota, period] = (text ?? '').trim().split(/\s+/);
  return ratio(quota, period);
}

/** -1 is no limit. */
function limitOfQuota(read: ReadText, folder: string): number | undefined {
  return ratio(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`));
}

function ratio(quota: string | undefined, period: string | undefined): number | undefined {
  const [of, per] = [wholeNumber(quota), wholeNumber(period)];
  return of === undefined || per === undefined || of === 0 || per === 0 ? undefined : of / per;
}

function usedOfStat(text: string | undefined): number | undefined {
  const micros = wholeNumber(/^usage_usec (\d+)$/m.exec(text ?? '')?.[1]);
  return micros === undefined ? undefined : micros / 1e6;
}

function usedOfUsage(text: string | undefined): number | undefined {
  const nanos = wholeNumber(text);
  return nanos === undefined ? undefined : nanos / 1e9;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}
