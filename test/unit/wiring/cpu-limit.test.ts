import { describe, expect, it } from 'vitest';
import { cpuGroups, groupUsage } from '../../../src/wiring/cpu-limit.ts';

type Files = Readonly<Record<string, string>>;

const groups = (files: Files, machine = 8) => cpuGroups((path) => files[path], machine);

/** A container of version 2: its own group is the root of what it sees. */
const CONTAINER: Files = {
  '/proc/self/cgroup': '0::/\n',
  '/proc/self/mountinfo':
    '24 1 0:22 / /proc rw - proc proc rw\n31 23 0:28 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n',
  '/sys/fs/cgroup/cpu.max': '150000 100000\n',
  '/sys/fs/cgroup/cpu.stat': 'usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n',
};

/** A container of version 1 whose process sees the path of the machine. */
const OLD_CONTAINER: Files = {
  '/proc/self/cgroup': '7:memory:/docker/0a1b\n4:cpu,cpuacct:/docker/0a1b\n1:name=systemd:/docker/0a1b\n',
  '/proc/self/mountinfo':
    '33 31 0:30 /docker/0a1b /sys/fs/cgroup/cpu,cpuacct ro shared:9 - cgroup cgroup rw,cpu,cpuacct\n',
  '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '50000\n',
  '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
  '/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage': '1500000000\n',
};

describe('the limit of processor time', () => {
  it('is that of a container', () => {
    expect(groups(CONTAINER)).toEqual([{ folder: '/sys/fs/cgroup', processors: 1.5, usedSeconds: 2.5 }]);
    expect(groups(OLD_CONTAINER)).toEqual([
      { folder: '/sys/fs/cgroup/cpu,cpuacct', processors: 0.5, usedSeconds: 1.5 },
    ]);
  });

  it('may be that of a service, or of a group above it', () => {
    const service = {
      ...CONTAINER,
      '/proc/self/cgroup': '0::/system.slice/rowferry.service\n',
      '/sys/fs/cgroup/cpu.max': 'max 100000\n',
      '/sys/fs/cgroup/system.slice/cpu.max': '400000 100000\n',
      '/sys/fs/cgroup/system.slice/cpu.stat': 'usage_usec 9000000\n',
      '/sys/fs/cgroup/system.slice/rowferry.service/cpu.max': '200000 100000\n',
      '/sys/fs/cgroup/system.slice/rowferry.service/cpu.stat': 'usage_usec 1000000\n',
    };
    expect(groups(service)).toEqual([
      { folder: '/sys/fs/cgroup/system.slice/rowferry.service', processors: 2, usedSeconds: 1 },
      { folder: '/sys/fs/cgroup/system.slice', processors: 4, usedSeconds: 9 },
    ]);
  });

  it('is found where less is mounted than the process is in', () => {
    const pod = {
      '/proc/self/cgroup': '4:cpu,cpuacct:/kubepods/pod1\n',
      '/proc/self/mountinfo': '33 31 0:30 /kubepods /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n',
      '/sys/fs/cgroup/cpu/pod1/cpu.cfs_quota_us': '100000',
      '/sys/fs/cgroup/cpu/pod1/cpu.cfs_period_us': '100000',
      '/sys/fs/cgroup/cpu/pod1/cpuacct.usage': '4000000000',
    };
    expect(groups(pod)).toEqual([{ folder: '/sys/fs/cgroup/cpu/pod1', processors: 1, usedSeconds: 4 }]);
  });

  it('is read where versions are mixed and counters are mounted apart', () => {
    expect(
      groups({
        '/proc/self/cgroup': '9:name=systemd:/\n2:cpuacct:/a\n1:cpu:/a\n0::/\n',
        '/proc/self/mountinfo': [
          '32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu',
          '33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct',
          '34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset',
          '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
        ].join('\n'),
        '/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us': '200000',
        '/sys/fs/cgroup/cpu/a/cpu.cfs_period_us': '100000',
        '/sys/fs/cgroup/cpuacct/a/cpuacct.usage': '3000000000',
        '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
        '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
        '/sys/fs/cgroup/cpuacct/cpuacct.usage': '99000000000',
      }),
    ).toEqual([{ folder: '/sys/fs/cgroup/cpu/a', processors: 2, usedSeconds: 3 }]);
  });

  it.each<[string, Files]>([
    ['there is none', { ...CONTAINER, '/sys/fs/cgroup/cpu.max': 'max 100000\n' }],
    ['it is as much as the machine has', { ...CONTAINER, '/sys/fs/cgroup/cpu.max': '800000 100000\n' }],
    ['it cannot be read', { ...CONTAINER, '/sys/fs/cgroup/cpu.max': 'who knows\n' }],
    ['nobody tells what was used', { ...CONTAINER, '/sys/fs/cgroup/cpu.stat': 'nr_periods 0\n' }],
    ['groups are not mounted', { ...CONTAINER, '/proc/self/mountinfo': '' }],
    ['the system has no groups', {}],
    ['version 1 has none', { ...OLD_CONTAINER, '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n' }],
  ])('is the machine’s when %s', (_, files) => {
    expect(groups(files)).toEqual([]);
  });
});

describe('what is used of it', () => {
  const own = (usedSeconds: number) => ({ folder: 'own', processors: 0.5, usedSeconds });
  const above = (usedSeconds: number) => ({ folder: 'above', processors: 4, usedSeconds });

  it('is processor time over what was allowed meanwhile, of the group that is closest to its limit', () => {
    expect(groupUsage([own(10)], [own(14.5)], 10)).toBe(0.9);
    expect(groupUsage([own(10), above(0)], [own(11), above(36)], 10)).toBe(0.9);
    // A burst may take more than its share of a moment.
    expect(groupUsage([own(10)], [own(16)], 10)).toBe(1);
  });

  it('is not known before there are two looks, or without a limit', () => {
    expect(groupUsage([], [own(1)], 10)).toBeNull();
    expect(groupUsage([own(1)], [own(1)], 0)).toBeNull();
    expect(groupUsage([], [], 10)).toBeNull();
  });
});
