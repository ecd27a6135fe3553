import { readConfig } from '../shared/process/config.js';
import { runMain } from '../shared/process/main.js';
import { supervisedNumber } from '../shared/supervisor/number.js';

// Not awaited: in the bundle, what is imported later may import parts of this module.
void runMain(async () => {
  const config = readConfig(process.env);
  const number = supervisedNumber();
  if (config.WORKER_PROCESSES === 1 || number !== undefined) {
    const { runWorker } = await import('./program.js');
    return runWorker(config, number);
  }
  const { supervise } = await import('../shared/supervisor/supervise.js');
  const { forkAlone } = await import('../shared/supervisor/fork.js');
  return supervise({
    role: 'worker',
    processes: config.WORKER_PROCESSES,
    config,
    stopMs: config.SHUTDOWN_GRACE_MS,
    retireMs: config.SHUTDOWN_GRACE_MS,
    fork: forkAlone,
  });
});
