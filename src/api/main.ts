import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadRegistry } from '../shared/jobs/registry.js';
import { readConfig } from '../shared/process/config.js';
import { createLogger } from '../shared/process/log.js';
import { announce, exitUnusable, onShutdown, runMain } from '../shared/process/main.js';
import { drainDelayOf } from '../shared/process/stop-settings.js';
import { answerClientErrors } from './http/client-error.js';
import { closeListener, listen } from './http/listen.js';
import { builtInJobsDir, openService } from './service.js';

await runMain(async () => {
  const config = readConfig(process.env);
  const log = createLogger(config, 'api');
  const registry = await loadRegistry([builtInJobsDir, ...(config.JOBS_DIR ? [config.JOBS_DIR] : [])]);
  const service = await openService({ config, registry, onUnusable: exitUnusable, log });
  const server = createServer(service.app);
  answerClientErrors(server, log);
  await listen(server, config);

  const drainMs = drainDelayOf(config);
  onShutdown(log, drainMs + config.SHUTDOWN_GRACE_MS, () =>
    service.stop({
      drainMs,
      closeListener: () => closeListener(server),
      closeConnections: () => server.closeAllConnections(),
    }),
  );
  const { port } = server.address() as AddressInfo;
  const host = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;
  const url = `http://${host}:${port}`;
  log.info({ url, redis: service.redis }, 'listening');
  announce({ type: 'listening', url, metrics: service.metrics });
});
