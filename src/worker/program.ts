import { loadRegistry } from '../shared/jobs/registry.js';
import type { Config } from '../shared/process/config.js';
import { createLogger } from '../shared/process/log.js';
import { announce, exitUnusable, onShutdown } from '../shared/process/main.js';
import { joinSupervisor, supervisedConfig } from '../shared/supervisor/supervised.js';
import { builtInJobsDir } from './built-in-jobs.js';
import { endAfterCrash } from './crash.js';
import { keepMicrotaskOwners } from './run/uncaught.js';
import { openWorker } from './service.js';

/**
 * Runs a worker process.
 * @param number its number under a supervisor; `undefined` without one
 */
export async function runWorker(settings: Config, number: number | undefined): Promise<void> {
  const supervisor = number === undefined ? undefined : await joinSupervisor();
  const config = supervisor ? supervisedConfig(settings) : settings;
  const log = createLogger(config, 'worker', number);
  keepMicrotaskOwners();
  const registry = await loadRegistry([builtInJobsDir, ...(config.JOBS_DIR ? [config.JOBS_DIR] : [])]);
  const onFatal = endAfterCrash(log, () => worker?.crash());
  let worker: Awaited<ReturnType<typeof openWorker>> | undefined;
  worker = await openWorker({ config, registry, onFatal, onUnusable: exitUnusable, log });
  onShutdown(log, () => config.SHUTDOWN_GRACE_MS, worker.close);
  await worker.ready;
  log.info({ queues: worker.queues }, 'ready');
  announce({ type: 'ready', metrics: worker.metrics });
}
