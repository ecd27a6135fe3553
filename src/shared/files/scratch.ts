import { randomBytes } from 'node:crypto';
import { mkdir, rm, rmdir, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { serverNow } from '../redis/server-clock.js';
import { newFileId } from './content.js';
import type { Workspace } from './contract.js';
import { sweepFolder } from './sweep.js';

/** The workspaces of one process on this machine. */
export interface Scratch {
  open(): Workspace;
  /** Removes the workspaces of processes that died. Never rejects. */
  tidy(): Promise<void>;
}

/** How often a process shows that it still uses its workspaces, in ms. */
const BEAT_MS = 60_000;
/** A process that has shown nothing for this long is gone, in ms. Its event loop may be blocked for a while. */
const GONE_MS = 15 * BEAT_MS;

/**
 * Opens the workspaces of this process. All of them are in one folder of the process, whose time is renewed while one is open:
 * what a process that was killed has left is removed by another one, on this machine or on one that mounts the same folder.
 */
export function openScratch(root: string): Scratch {
  const own = join(root, newFileId());
  const open = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  async function close(path: string): Promise<void> {
    if (!open.delete(path)) return;
    if (open.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
    // The sweep removes what cannot be removed now.
    await rm(path, { recursive: true, force: true }).catch(() => {});
    if (open.size === 0) await rmdir(own).catch(() => {});
  }

  return {
    open() {
      const path = join(own, randomBytes(9).toString('base64url'));
      open.add(path);
      timer ??= setInterval(() => beat(own), BEAT_MS).unref();
      return {
        get path() {
          if (!open.has(path)) throw new Error('the attempt of the job has ended');
          return path;
        },
        remove: () => close(path),
      };
    },
    async tidy() {
      const isOwn = async (id: string): Promise<boolean> => join(root, id) === own;
      await sweepFolder(root, 'none', GONE_MS, serverNow(), isOwn).catch(() => {});
    },
  };
}

/** Creates the folder of a workspace. The main thread opens it; a thread of the pool may be the first to need it. */
export async function prepareWorkspace(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await beat(dirname(path));
}

/** Times are those of Redis' clock, like all that processes compare. */
async function beat(folder: string): Promise<void> {
  const now = new Date(serverNow());
  // There is no folder until a workspace is needed.
  await utimes(folder, now, now).catch(() => {});
}
