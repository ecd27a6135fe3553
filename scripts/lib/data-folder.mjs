import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Stop } from './say.mjs';

/**
 * Opens the data folder for one supervisor at a time.
 * @returns the path, and a function that releases the folder
 * @throws Stop if the folder is not writable or another supervisor uses it
 */
export function openDataFolder(dir) {
  const path = resolve(dir);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw new Stop(`DATA_DIR: the data folder ${path} is not writable (${error.code})`);
  }
  const lock = join(path, 'supervisor.pid');
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return { path, release: () => rmSync(lock, { force: true }) };
    } catch (error) {
      if (error.code !== 'EEXIST')
        throw new Stop(`DATA_DIR: the data folder ${path} is not writable (${error.code})`);
      const holder = Number(readFileSync(lock, 'utf8'));
      if (isSupervisor(holder)) {
        throw new Stop(
          `Headway already runs with the data folder ${path} (process ${holder}); stop it or set DATA_DIR`,
        );
      }
      // The last supervisor was killed and could not clean up.
      rmSync(lock, { force: true });
    }
  }
}

function isSupervisor(pid) {
  if (!pid || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
  try {
    // Another program may have this process id by now.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('start.mjs');
  } catch {
    return true;
  }
}
