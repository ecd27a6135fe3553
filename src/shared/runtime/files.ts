import { mkdir } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HeadwayError } from '../errors.js';
import { UnusableFilesError } from '../files/s3/faults.js';
import { type FileStore, fileStoreOptions, openFileStore } from '../files/store.js';
import type { Config } from '../process/config.js';
import { openDataFolder } from '../process/data-folder.js';
import { describePlace, parseFilesUrl } from '../process/files-url.js';
import type { Logger } from '../process/log.js';
import type { Waiting } from './connection.js';

/** How long to wait before a storage that does not answer is asked again, and between two lines about it, in ms. */
const AGAIN_MS = 1000;
const LINE_MS = 5000;

export interface OpenFilesOptions {
  /** Whether failed calls are repeated for about a minute. */
  patient: boolean;
  log: Logger;
  waiting?: Waiting | undefined;
}

/**
 * Opens the files of an installation. A storage that does not answer is waited for, with a warning every few seconds.
 * @throws UnusableFilesError for what waiting does not mend (a missing bucket, rejected credentials, a missing permission, a
 *   failed TLS handshake), and when the wait is ended
 */
export async function openFiles(config: Config, options: OpenFilesOptions): Promise<FileStore> {
  const { patient, log, waiting = {} } = options;
  const store = openFileStore({ ...fileStoreOptions(config), patient });
  // What is missing is to be said within seconds.
  const impatient = patient ? openFileStore(fileStoreOptions(config)) : store;
  if (!config.FILES_URL) {
    if (isWithin(config.DATA_DIR, config.FILES_DIR)) await openDataFolder(config.DATA_DIR, log);
    await mkdir(config.FILES_DIR, { recursive: true });
    return store;
  }
  const place = describePlace(parseFilesUrl(config.FILES_URL));
  let toldAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    try {
      await impatient.check('usable');
      return store;
    } catch (error) {
      if (!(error instanceof HeadwayError)) throw error;
      const { cause } = error;
      const reason = `${place}: ${cause instanceof Error ? cause.message : error.detail}`;
      if (waiting.signal?.aborted) throw new UnusableFilesError(`no file storage answers at ${reason}`);
      if (performance.now() - toldAt > LINE_MS) {
        toldAt = performance.now();
        const line = `waiting for the file storage at ${reason}`;
        log.warn(line);
        waiting.onWait?.(line);
      }
    }
    await delay(AGAIN_MS, undefined, { signal: waiting.signal }).catch(() => {});
  }
}

const isWithin = (folder: string, path: string): boolean =>
  `${resolve(path)}${sep}`.startsWith(`${resolve(folder)}${sep}`);
