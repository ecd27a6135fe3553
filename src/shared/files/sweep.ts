import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isFileId } from './reference.js';

/**
 * Returns whether an expired file has to be kept: because a job that has not completed refers to it (a failed or cancelled job
 * may be retried), or because the job that made it has not ended.
 * @param madeBy the id of the job that made the file
 */
export type HeldFiles = (fileId: string, madeBy?: string) => Promise<boolean>;

/**
 * Removes the expired files of a folder that are not held.
 * @param marker the name of a file in each stored file's folder; the lifetime starts when it was last changed. If there is no
 *   such file, when the folder was
 * @returns the number of removed files
 */
export async function sweepFolder(
  parent: string,
  marker: string,
  ttlMs: number,
  now: number,
  holds: (id: string) => Promise<boolean>,
): Promise<number> {
  const isOver = async (id: string): Promise<boolean> => {
    // A process may have ended before it made the marker.
    const { mtimeMs } = await stat(join(parent, id, marker))
      .catch(() => stat(join(parent, id)))
      .catch(() => ({ mtimeMs: now }));
    return mtimeMs + ttlMs < now;
  };
  let removed = 0;
  for (const id of (await readdir(parent).catch(() => [])).filter(isFileId)) {
    if (!(await isOver(id)) || (await holds(id))) continue;
    // It may have been used while its holders were looked up.
    if (!(await isOver(id))) continue;
    await rm(join(parent, id), { recursive: true, force: true });
    removed++;
  }
  return removed;
}
