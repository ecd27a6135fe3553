import { registryOf } from '../shared/jobs/registry.js';
import { createLogger } from '../shared/process/log.js';
import { inOneProcess, type LibraryOptions, librarySettings } from '../shared/process/settings.js';
import { builtInJobsDir } from './built-in-jobs.js';
import { openWorker } from './service.js';

export { ChildFailedError, PermanentError } from '../shared/errors.js';
export { DataFormatError } from '../shared/format/format.js';
export { defineJob } from '../shared/jobs/definition.js';
export { RegistryError } from '../shared/jobs/registry.js';
export { metricsRegistry } from '../shared/metrics/registry.js';
export { ConfigError } from '../shared/process/config.js';
export { UnusableRedisError } from '../shared/redis/unusable.js';
export { StartError } from '../shared/start-error.js';

/** A worker inside another program. */
export interface HeadwayWorker {
  /** Stops taking jobs, gives running ones `SHUTDOWN_GRACE_MS` to finish, and hands the others back. */
  close(): Promise<void>;
}

/**
 * Starts a worker in this process. Resolves when Redis answers.
 * @throws ConfigError for an invalid setting
 * @throws RegistryError for an invalid job definition
 * @throws StartError for another mistake in the configuration
 * @throws UnusableRedisError when Redis cannot be used
 * @throws DataFormatError when a newer release has changed the format of the data in Redis
 */
export async function createWorker(options: LibraryOptions): Promise<HeadwayWorker> {
  const settings = librarySettings(options);
  const log = createLogger(settings, 'headway-worker');
  const config = inOneProcess(settings, 'WORKER_PROCESSES', log);
  const registry = await registryOf(options.jobs, builtInJobsDir);
  const waiting = { signal: options.signal };
  const worker = await openWorker({ config, registry, embedded: true, waiting, log });
  await worker.ready;
  return { close: worker.close };
}
