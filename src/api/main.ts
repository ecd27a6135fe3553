import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadRegistry } from '../shared/jobs/registry.js';
import { readConfig } from '../shared/process/config.js';
import { createLogger } from '../shared/process/log.js';
import { announce, exitUnusable, onShutdown, runMain } from '../shared/process/main.js';
import { basePathOf } from '../shared/process/public-url.js';
import { drainDelayOf } from '../shared/process/stop-settings.js';
import { answerClientErrors } from './http/client-error.js';
import { closeListener, listen, SLOW_CLIENTS } from './http/listen.js';
import { type ApiService, builtInJobsDir, openService } from './service.js';
import { answerWhileStarting } from './starting.js';

await runMain(async () => {
  const config = readConfig(process.env);
  const log = createLogger(config, 'api');
  const registry = await loadRegistry([builtInJobsDir, ...(config.JOBS_DIR ? [config.JOBS_DIR] : [])]);
  const starting = answerWhileStarting(basePathOf(config.PUBLIC_URL));
  const server = createServer(SLOW_CLIENTS, starting);
  answerClientErrors(server, log);
  let listening: Promise<void> | undefined;
  const open = (): Promise<void> => {
    listening ??= listen(server, config);
    return listening;
  };
  // Without the wait, the process listens only when it can serve: some load balancers look at nothing else.
  const service = await new Promise<ApiService>((resolve, reject) => {
    const onWait = (): void => void open().catch(reject);
    openService({ config, registry, onUnusable: exitUnusable, log, waiting: { onWait } }).then(
      resolve,
      reject,
    );
  });
  server.off('request', starting).on('request', service.app);
  await open();

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
