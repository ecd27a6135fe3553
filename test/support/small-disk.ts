import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { atExit } from './at-exit.js';
import { temporaryFolder } from './folder.js';

/** A file system of its own, in memory. */
export interface SmallDisk {
  /** Whether it could be mounted. Otherwise `path` is an ordinary folder. */
  mounted: boolean;
  path: string;
  /** Reads what is free. */
  free(): Promise<{ bytes: number; inodes: number }>;
  /** Removes everything on it. */
  empty(): void;
  unmount(): void;
}

/** Mounts a small disk. Prints why it cannot where that is not permitted: it takes root on Linux. */
export function mountSmallDisk(options: { megabytes: number; inodes: number }): SmallDisk {
  const path = temporaryFolder();
  const size = `size=${options.megabytes}m,nr_inodes=${options.inodes}`;
  let mounted = false;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', path], { stdio: 'pipe' });
    mounted = true;
  } catch (error) {
    console.log(`skipped: a small disk cannot be mounted here: ${(error as Error).message}`);
  }
  const unmount = (): void => {
    if (mounted) execFileSync('umount', ['--lazy', path], { stdio: 'ignore' });
    mounted = false;
  };
  atExit(unmount);
  return {
    mounted,
    path,
    async free() {
      const { bavail, bsize, ffree } = await statfs(path);
      return { bytes: bavail * bsize, inodes: ffree };
    },
    empty() {
      for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true });
    },
    unmount,
  };
}
