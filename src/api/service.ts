import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Express } from 'express';
import type { Authorize } from '../shared/auth/authorize.js';
import { createWatcherQuery } from '../shared/channel/watchers.js';
import { planQueues } from '../shared/jobs/queues.js';
import type { Registry } from '../shared/jobs/registry.js';
import { scrape } from '../shared/metrics/registry.js';
import { CloseStack } from '../shared/process/close-stack.js';
import type { Config } from '../shared/process/config.js';
import type { Logger } from '../shared/process/log.js';
import { basePathOf } from '../shared/process/public-url.js';
import type { Service } from '../shared/process/service.js';
import { KEPT_ALIVE_MS } from '../shared/process/stop-settings.js';
import { VERSION } from '../shared/process/version.js';
import { connectSubscriber } from '../shared/redis/connect.js';
import { connectHeadway, type Waiting } from '../shared/runtime/connection.js';
import { openFiles } from '../shared/runtime/files.js';
import { openMetrics } from '../shared/runtime/metrics.js';
import { startTracing } from '../shared/tracing/start.js';
import { createApp } from './app.js';
import { openAuditLog } from './audit/audit-log.js';
import { chooseAnonymous, logAnonymous } from './auth/anonymous.js';
import { createShardCheck } from './auth/known-shard.js';
import { startServices } from './background.js';
import { type Core, pubSubOf } from './core.js';
import { keptConnectionsEnd } from './http/kept-connections.js';
import { Overload } from './http/overload.js';
import { Serving } from './http/serving.js';
import { createLocalJobs, type HeadwayJobs } from './in-process/jobs.js';
import { LocalViewers } from './in-process/viewer.js';
import { createJobActions } from './jobs/actions.js';
import { apiScripts } from './jobs/scripts.js';
import { createLimiter } from './limits/limiter.js';
import { startOpenCounts } from './limits/open-counts.js';
import { limitScripts } from './limits/scripts.js';
import { openAuth, readSecrets } from './open-auth.js';
import { openJobs } from './open-jobs.js';
import { openLive } from './open-live.js';
import { openStreams } from './open-streams.js';
import { openPositions } from './queue-positions/open.js';
import { positionScripts } from './queue-positions/scripts.js';
import { observeStreams } from './stream/observe.js';
import { planWaves } from './stream/waves.js';

export interface ServiceOptions {
  config: Config;
  registry: Registry;
  /** The authorization hook. Defaults to the code of `AUTHORIZE_MODULE`. */
  authorize?: Authorize | undefined;
  /** Whether the API is part of an application, which answers all other paths itself. Defaults to `false`. */
  embedded?: boolean;
  /** Called when a newer release has changed the data in Redis. Without it, the service closes itself. */
  onUnusable?: () => void;
  waiting?: Waiting;
  /** Returns what `/metrics` of the main port serves. Defaults to the metrics of this process. */
  scrape?: typeof scrape | undefined;
  log: Logger;
}

/** An API process, except for its HTTP server. */
export interface ApiService {
  app: Express;
  /** Jobs, for the code of the application. */
  jobs: HeadwayJobs;
  /** The version of the connected Redis server. */
  redis: string;
  /**
   * Stops in steps. `/readyz` reports at once that the process is not ready; everything is served for `drainMs` more. Then
   * `closeListener` is called, viewers are disconnected in waves, and open requests and uploads have `SHUTDOWN_GRACE_MS` to
   * finish. After that, `closeConnections` is called, and everything that was opened is closed. Later calls do nothing more.
   * With `replaced`, `/readyz` does not change, and `closeListener` is called at once.
   */
  stop(options: StopOptions): Promise<void>;
  /** The address of the metrics, if they have a port of their own. */
  metrics: string | undefined;
}

/** How an API stops. The listener may belong to an application. */
export interface StopOptions {
  drainMs: number;
  /** Set if another process has taken over the listener. Returns the number of open connections. */
  replaced?: (() => Promise<number>) | undefined;
  /** Stops accepting connections. */
  closeListener?: () => void;
  /** Destroys the connections that are still open. */
  closeConnections?: () => void;
}

/** How long requests that were cut off have to end and to write their lines in the log, in ms. */
const CUT_OFF_MS = 1000;
/** How long Redis has to say whether other API processes run, in ms. */
const PEER_MS = 250;

/** The folder of the built-in jobs. */
export const builtInJobsDir = fileURLToPath(new URL('../worker/jobs', import.meta.url));

/**
 * Opens the API: connections, routes and background work, in this order. They are closed in the reverse order.
 * @throws StartError for a mistake in the configuration
 * @throws UnusableRedisError when Redis cannot be used
 */
export async function openService(options: ServiceOptions): Promise<ApiService> {
  const { config, registry, log, embedded = false } = options;
  const plan = planQueues(registry, config.QUEUE_NAME);
  const production = process.env.NODE_ENV === 'production';
  const exposure = { production, embedded };
  const anonymous = chooseAnonymous(config, exposure);
  const secrets = await readSecrets(options, production);
  const opened = new CloseStack();
  opened.defer(await startTracing({ role: 'api', embedded, version: VERSION, log }));
  const audit = opened.adopt(openAuditLog(config, log), (it) => it.close());

  const connection = await connectHeadway({
    config,
    role: 'request',
    log,
    registry,
    ownScripts: { ...apiScripts, ...limitScripts, ...positionScripts },
    onUnusable: options.onUnusable ?? (() => void stopOnce({ drainMs: 0 })),
    waiting: options.waiting,
  });
  opened.defer(() => connection.disconnect());
  const subscriberRedis = connectSubscriber(config);
  opened.defer(() => subscriberRedis.disconnect());
  const openCounts = startOpenCounts(connection.redis, connection.keyspace, log);
  opened.adopt(openCounts, stop);
  const limiter = createLimiter(connection.redis, connection.keyspace, config, production, openCounts);
  const core: Core = { config, registry, plan, connection, subscriberRedis, limiter, log };

  const store = await openFiles(config, { patient: false, log, waiting: options.waiting });
  const jobs = openJobs(core, store, production);
  opened.defer(() => jobs.store.idle());
  const { access, permissions, adminSession, ...auth } = openAuth(
    core,
    secrets,
    jobs.readTombstone,
    anonymous.mode,
  );
  const positions = openPositions(connection, plan, log);
  const actions = createJobActions({ ...core, ...jobs, access, positionOf: positions.view });
  const overload = opened.adopt(new Overload(config, log), stop);
  const streams = openStreams(core, jobs, { access, ...auth }, overload);
  const localViewers = new LocalViewers(streams.hub);
  const { reporting, feed, dashboard, overviews, history } = openLive({ ...core, ...streams });
  opened.adopt(reporting, stop);
  opened.defer(() => connection.outcomes.flush());
  const allViewers = [streams.viewers, dashboard, overviews];
  const services = startServices(core, jobs, streams, positions, reporting, feed, allViewers);
  opened.defer(() => Promise.all(services.map(stop)));
  opened.defer(observeStreams(streams, allViewers));
  const metrics = await openMetrics(core, { role: 'api', embedded });
  opened.defer(metrics.close);

  const serving = new Serving();
  const app = createApp({
    ...core,
    ...jobs,
    ...streams,
    access,
    actions,
    permissions,
    adminSession,
    keys: { access, ...auth, redis: connection.redis, keyspace: connection.keyspace },
    presence: createWatcherQuery(pubSubOf(core)),
    dashboard,
    history,
    overviews,
    embedded,
    audit,
    serving,
    overload,
    scrape: options.scrape ?? scrape,
  });

  const viewerCount = (): number => allViewers.reduce((sum, { count }) => sum + count, streams.streams.count);

  /** The waves end with the first half of the grace period: a viewer has the rest to close its side. */
  function disconnectViewers(takenOver: boolean): Promise<unknown> {
    const waves = planWaves({ viewers: viewerCount(), takenOver }, config.SHUTDOWN_GRACE_MS / 2);
    // The door first: it makes viewers reconnect if a closed set refuses their streams.
    return Promise.all([streams.streams, ...allViewers].map((open) => open.close(waves)));
  }

  async function stopInSteps(options: StopOptions): Promise<void> {
    const { drainMs, replaced, closeListener, closeConnections } = options;
    serving.drain(replaced !== undefined);
    reporting.leave();
    if (replaced) {
      closeListener?.();
      await keptConnectionsEnd(replaced, () => viewerCount() + serving.open, KEPT_ALIVE_MS);
    } else {
      if (drainMs > 0) await sleep(drainMs);
      closeListener?.();
    }
    const takenOver = await Promise.race([reporting.hasPeer(), sleep(PEER_MS, false, { ref: false })]).catch(
      () => false,
    );
    serving.stopping = true;
    localViewers.close();
    const grace = new AbortController();
    const timer = setTimeout(() => grace.abort(), config.SHUTDOWN_GRACE_MS);
    const over = once(grace.signal, 'abort');
    await Promise.race([Promise.all([disconnectViewers(takenOver), serving.idle(grace.signal)]), over]);
    clearTimeout(timer);
    closeConnections?.();
    if (grace.signal.aborted) await serving.idle(AbortSignal.timeout(CUT_OFF_MS));
    await opened.close();
  }
  let stopped: Promise<void> | undefined;
  function stopOnce(options: StopOptions): Promise<void> {
    stopped ??= stopInSteps(options);
    return stopped;
  }

  logAnonymous(anonymous, config, exposure, log);
  const local = createLocalJobs({
    actions,
    callers: limiter,
    hasKnownShard: createShardCheck(connection.redis, connection.keyspace),
    openJobChannel: streams.openJobChannel,
    viewers: localViewers,
    maxBytes: config.BODY_MAX_BYTES,
    maxValues: config.LIST_MAX_VALUES,
    base: basePathOf(config.PUBLIC_URL),
  });
  return { app, jobs: local, redis: connection.server.version, metrics: metrics.url, stop: stopOnce };
}

const stop = (service: Service): Promise<void> => service.stop();
