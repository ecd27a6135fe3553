import './garbage-collection.js';

import { readConfig } from '../shared/process/config.js';
import { runMain } from '../shared/process/main.js';
import { drainDelayOf, KEPT_ALIVE_MS } from '../shared/process/stop-settings.js';
import { supervisedNumber } from '../shared/supervisor/number.js';

// Not awaited: in the bundle, what is imported later may import parts of this module.
void runMain(async () => {
  const config = readConfig(process.env);
  const number = supervisedNumber();
  if (config.API_PROCESSES === 1 || number !== undefined) {
    const { runApi } = await import('./program.js');
    return runApi(config, number);
  }
  const { supervise } = await import('../shared/supervisor/supervise.js');
  const { forkSharingPorts } = await import('../shared/supervisor/fork.js');
  return supervise({
    role: 'api',
    processes: config.API_PROCESSES,
    config,
    stopMs: drainDelayOf(config) + config.SHUTDOWN_GRACE_MS,
    retireMs: KEPT_ALIVE_MS + config.SHUTDOWN_GRACE_MS,
    fork: forkSharingPorts,
  });
});
