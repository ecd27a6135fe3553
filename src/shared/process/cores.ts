import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Returns how many CPU cores this process may use, at least 1: the cores it may run on, or its CPU quota if that is less. The
 * quota is rounded down, because a process that is throttled is late for its viewers.
 *
 * Node considers the quota itself since version 22.
 */
export const availableCores = (): number =>
  Math.max(1, Math.min(availableParallelism(), Math.floor(cpuQuota())));

/**
 * Returns the CPU quota of the control group of this process or of one around it, in cores; `Infinity` without a quota or
 * outside of Linux.
 * https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files, https://docs.kernel.org/scheduler/sched-bwc.html
 * @param root the folder with `/proc` and `/sys`
 */
export function cpuQuota(root = '/'): number {
  const groups = read(join(root, 'proc/self/cgroup'));
  // `0::/path` with version 2, `4:cpu,cpuacct:/path` with version 1.
  const unified = /^0::(\/.*)$/m.exec(groups)?.[1];
  const legacy = /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1];
  return Math.min(
    smallest(unified, (path) => {
      const [quota, period] = read(join(root, 'sys/fs/cgroup', path, 'cpu.max')).split(' ');
      return Number(quota) / Number(period);
    }),
    smallest(legacy, (path) => {
      const folder = join(root, 'sys/fs/cgroup/cpu', path);
      return (
        Number(read(join(folder, 'cpu.cfs_quota_us')) || '-1') /
        Number(read(join(folder, 'cpu.cfs_period_us')))
      );
    }),
  );
}

/** Returns the smallest quota of a group and the groups around it. In a container, only the root may be there. */
function smallest(path: string | undefined, quotaOf: (path: string) => number): number {
  if (path === undefined) return Infinity;
  const quota = quotaOf(path);
  const own = quota > 0 ? quota : Infinity;
  return path === '/' ? own : Math.min(own, smallest(dirname(path), quotaOf));
}

/** Returns the text of a file; empty if it cannot be read. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
