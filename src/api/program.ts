import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { loadRegistry } from '../shared/jobs/registry.js';
import type { Config } from '../shared/process/config.js';
import { createLogger, type Logger } from '../shared/process/log.js';
import { announce, exitUnusable, onShutdown, REPLACED } from '../shared/process/main.js';
import { basePathOf } from '../shared/process/public-url.js';
import { drainDelayOf, KEPT_ALIVE_MS } from '../shared/process/stop-settings.js';
import { joinSupervisor, supervisedConfig } from '../shared/supervisor/supervised.js';
import { answerClientErrors } from './http/client-error.js';
import { closeListener, listen, SLOW_CLIENTS } from './http/listen.js';
import { forBothVersions } from './http/over-http2.js';
import { createTurns, inTurns } from './http/turns.js';
import { type ApiService, builtInJobsDir, openService } from './service.js';
import { answerWhileStarting } from './starting.js';
import type { TlsServer } from './tls/server.js';

/**
 * Runs an API process.
 * @param number its number under a supervisor, whose processes share the port; `undefined` without one
 */
export async function runApi(settings: Config, number: number | undefined): Promise<void> {
  const supervisor = number === undefined ? undefined : await joinSupervisor();
  const config = supervisor ? supervisedConfig(settings) : settings;
  const log = createLogger(config, 'api', number);
  const registry = await loadRegistry([builtInJobsDir, ...(config.JOBS_DIR ? [config.JOBS_DIR] : [])]);
  const starting = answerWhileStarting(basePathOf(config.PUBLIC_URL));
  const { server, tls } = await openServer(config, starting, log);
  const turns = createTurns();
  answerClientErrors(server, log, turns);
  let listening: Promise<void> | undefined;
  const open = (): Promise<void> => {
    listening ??= listen(server, config);
    return listening;
  };
  // Without the wait, the process listens only when it can serve: some load balancers look at nothing else.
  const service = await new Promise<ApiService>((resolve, reject) => {
    const onWait = (): void => void open().catch(reject);
    openService({
      config,
      registry,
      onUnusable: exitUnusable,
      scrape: supervisor?.scrape,
      log,
      waiting: { onWait },
    }).then(resolve, reject);
  });
  server.off('request', starting).on('request', inTurns(turns, forBothVersions(service.app)));
  await open();

  const drainMs = drainDelayOf(config);
  const isReplaced = (reason: string): boolean => reason === REPLACED;
  onShutdown(
    log,
    (reason) => (isReplaced(reason) ? KEPT_ALIVE_MS : drainMs) + config.SHUTDOWN_GRACE_MS,
    (reason) =>
      service.stop({
        drainMs,
        replaced: isReplaced(reason) ? connectionCounter(server, tls) : undefined,
        closeListener: () => {
          closeListener(server);
          tls?.sessions.goAway();
        },
        closeConnections: () => server.closeAllConnections(),
      }),
  );
  tls?.followCertificate();
  const { port } = server.address() as AddressInfo;
  const host = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;
  const url = `${tls ? 'https' : 'http'}://${host}:${port}`;
  log.info({ url, redis: service.redis }, 'listening');
  announce({ type: 'listening', url, metrics: service.metrics });
}

/** Creates the server: for HTTPS if there is a certificate, otherwise for HTTP. @throws StartError if it cannot be used */
async function openServer(
  { TLS_CERT: cert, TLS_KEY: key }: Config,
  onRequest: RequestListener,
  log: Logger,
): Promise<{ server: Server; tls?: TlsServer }> {
  if (cert === '' && key === '') return { server: createServer(SLOW_CLIENTS, onRequest) };
  const { createTlsServer } = await import('./tls/server.js');
  const tls = createTlsServer({ cert, key }, onRequest, log);
  return { server: tls.server, tls };
}

/** Returns a function that counts open connections. Each stream of HTTP/2 counts as one, as over HTTP/1. */
function connectionCounter(server: Server, tls: TlsServer | undefined): () => Promise<number> {
  const count = promisify(server.getConnections.bind(server));
  return async () => {
    const { sessions, streams } = tls?.sessions.count ?? { sessions: 0, streams: 0 };
    return (await count()) - sessions + streams;
  };
}
