import { readConfig } from '../shared/config.js';
import { createLogger } from '../shared/log.js';
import { announce, onShutdown, runMain } from '../shared/process.js';
import { builtInJobsDir, loadRegistry } from '../shared/registry.js';
import { openWorker } from './service.js';

await runMain(async () => {
  const config = readConfig(process.env);
  const log = createLogger(config, 'worker');
  const registry = await loadRegistry([builtInJobsDir, ...(config.JOBS_DIR ? [config.JOBS_DIR] : [])]);
  const worker = await openWorker({ config, registry, log });
  onShutdown(log, config.SHUTDOWN_GRACE_MS, worker.close);
  await worker.ready;
  log.info({ queues: worker.queues }, 'ready');
  announce({ type: 'ready' });
});
