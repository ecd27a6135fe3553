import { mkdir } from 'node:fs/promises';
import type { Redis } from 'ioredis';
import { type FileStore, fileStoreOptions, openFileStore } from '../shared/files/store.js';
import type { Config } from '../shared/process/config.js';
import type { ProcessCore } from '../shared/runtime/core.js';

/** What most parts of a worker need. */
export interface Core extends ProcessCore {
  /** The connection of BullMQ's workers and queues. */
  bullmqRedis: Redis;
  /** The connection on which requests to cancel arrive. */
  commandsRedis: Redis;
  store: FileStore;
}

export async function openFiles(config: Config): Promise<FileStore> {
  await mkdir(config.FILES_DIR, { recursive: true });
  return openFileStore(fileStoreOptions(config));
}
