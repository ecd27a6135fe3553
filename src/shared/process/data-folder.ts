import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Logger } from './log.js';

/**
 * Creates the data folder if there is none. The folder of a new project is announced, because secrets are stored in it, and
 * has a `.gitignore` of its own, so that they are not committed.
 */
export async function openDataFolder(dataDir: string, log: Pick<Logger, 'warn'>): Promise<void> {
  // Another process that starts at the same time may have created it.
  if ((await mkdir(dataDir, { recursive: true })) === undefined) return;
  await writeFile(join(dataDir, '.gitignore'), '*\n');
  log.warn(
    `created the data folder ${resolve(dataDir)}: it keeps generated secrets and uploaded files, and git ignores it (DATA_DIR)`,
  );
}
