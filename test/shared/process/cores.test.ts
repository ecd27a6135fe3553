import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { availableCores, cpuQuota } from '../../../src/shared/process/cores.js';
import { temporaryFolder } from '../../support/folder.js';

function quotaWith(files: Record<string, string>): number {
  const root = temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
  return cpuQuota(root);
}

it.each<[string, Record<string, string>, number]>([
  ['no control groups', {}, Infinity],
  ['no quota', { 'proc/self/cgroup': '0::/a', 'sys/fs/cgroup/a/cpu.max': 'max 100000' }, Infinity],
  ['a container', { 'proc/self/cgroup': '0::/', 'sys/fs/cgroup/cpu.max': '250000 100000' }, 2.5],
  [
    'a container that sees the path of its host',
    { 'proc/self/cgroup': '0::/docker/1', 'sys/fs/cgroup/cpu.max': '50000 100000' },
    0.5,
  ],
  [
    'a quota of a group around',
    {
      'proc/self/cgroup': '0::/system.slice/a.service',
      'sys/fs/cgroup/system.slice/cpu.max': '300000 100000',
      'sys/fs/cgroup/system.slice/a.service/cpu.max': '400000 100000',
    },
    3,
  ],
  [
    'version 1',
    {
      'proc/self/cgroup': '5:memory:/m\n4:cpu,cpuacct:/docker/1\n0::/',
      'sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us': '150000',
      'sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us': '100000',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
    },
    1.5,
  ],
])('reads the CPU quota: %s', (_what, files, quota) => {
  expect(quotaWith(files)).toBe(quota);
});

it('counts at least one core', () => {
  expect(availableCores()).toBeGreaterThanOrEqual(1);
});
