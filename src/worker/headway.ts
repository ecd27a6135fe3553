import { registryOf } from '../shared/jobs/registry.js';
import { createLogger } from '../shared/process/log.js';
import { type LibraryOptions, librarySettings } from '../shared/process/settings.js';
import { builtInJobsDir } from './built-in-jobs.js';
import { openWorker } from './service.js';

export { ChildFailedError, PermanentError } from '../shared/errors.js';
export { defineJob } from '../shared/jobs/definition.js';
export { RegistryError } from '../shared/jobs/registry.js';
export { ConfigError } from '../shared/process/config.js';
export { UnusableRedisError } from '../shared/redis/connect.js';
export { StartError } from '../shared/start-error.js';

/** A worker in somebody's process. */
export interface HeadwayWorker {
  /** Takes no new job, lets the running ones end within `SHUTDOWN_GRACE_MS`, and hands the rest back. */
  close(): Promise<void>;
}

/**
 * Runs jobs in this process, until it is closed.
 * @throws ConfigError, RegistryError, StartError, UnusableRedisError where it cannot; the message says why
 */
export async function createWorker(options: LibraryOptions): Promise<HeadwayWorker> {
  const config = librarySettings(options);
  const registry = await registryOf(options.jobs, builtInJobsDir);
  const worker = await openWorker({ config, registry, log: createLogger(config, 'headway-worker') });
  await worker.ready;
  return { close: worker.close };
}
