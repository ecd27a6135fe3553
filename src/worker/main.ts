import { loadRegistry } from '../shared/jobs/registry.js';
import { readConfig } from '../shared/process/config.js';
import { createLogger } from '../shared/process/log.js';
import { announce, exitUnusable, onShutdown, runMain } from '../shared/process/main.js';
import { builtInJobsDir } from './built-in-jobs.js';
import { endAfterCrash } from './crash.js';
import { keepMicrotaskOwners } from './run/uncaught.js';
import { openWorker } from './service.js';

await runMain(async () => {
  const config = readConfig(process.env);
  const log = createLogger(config, 'worker');
  keepMicrotaskOwners();
  const registry = await loadRegistry([builtInJobsDir, ...(config.JOBS_DIR ? [config.JOBS_DIR] : [])]);
  const onFatal = endAfterCrash(log, () => worker?.crash());
  let worker: Awaited<ReturnType<typeof openWorker>> | undefined;
  worker = await openWorker({ config, registry, onFatal, onUnusable: exitUnusable, log });
  onShutdown(log, config.SHUTDOWN_GRACE_MS, worker.close);
  await worker.ready;
  log.info({ queues: worker.queues }, 'ready');
  announce({ type: 'ready', metrics: worker.metrics });
});
