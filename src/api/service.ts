import { fileURLToPath } from 'node:url';
import type { Express } from 'express';
import type { Redis } from 'ioredis';
import type { Authorize } from '../shared/auth/authorize.js';
import { ChannelHub } from '../shared/channel/hub.js';
import { jobChannel } from '../shared/channel/keys.js';
import { createReader } from '../shared/channel/reader.js';
import { answerWatcherQueries, createWatcherQuery } from '../shared/channel/watchers.js';
import type { ProcessReporting } from '../shared/dashboard/reporting.js';
import { fileStoreOptions, openFileStore } from '../shared/files/store.js';
import { createTombstoneReader } from '../shared/job-index/tombstones.js';
import { planQueues, type QueuePlan } from '../shared/jobs/queues.js';
import type { Registry } from '../shared/jobs/registry.js';
import { cancelObserver, createCanceller } from '../shared/lifecycle/cancel.js';
import { childrenObserver, createChildRegister } from '../shared/lifecycle/children.js';
import { createExpiry } from '../shared/lifecycle/expiry.js';
import { watchQueues } from '../shared/lifecycle/queue-watch.js';
import { startRecheck } from '../shared/lifecycle/recheck.js';
import { CloseStack } from '../shared/process/close-stack.js';
import type { Config } from '../shared/process/config.js';
import type { Logger } from '../shared/process/log.js';
import type { Service } from '../shared/process/service.js';
import { connectRedis } from '../shared/redis/connect.js';
import { type Connection, connectHeadway } from '../shared/runtime/connection.js';
import { startHousekeeping } from '../shared/runtime/leader.js';
import { createScheduleMaintainer } from '../shared/schedules/maintainer.js';
import { webhookPolicy } from '../shared/webhooks/target.js';
import { createApp } from './app.js';
import { watchRevocations } from './auth/revocation-watch.js';
import { apiScripts } from './jobs/scripts.js';
import { createJobStarter } from './jobs/start.js';
import type { DashboardFeed } from './live/feed.js';
import { type Auth, openAuth, readSecrets } from './open-auth.js';
import { openLive } from './open-live.js';
import { StreamDoor } from './stream/door.js';
import { watchPulse } from './stream/redis-pulse.js';
import { followRemovedJobs } from './stream/removed-jobs.js';
import { loadBound } from './stream/socket-bound.js';
import type { ViewerSet, ViewerSetOptions } from './stream/viewer-set.js';
import { ChannelViewers } from './stream/viewers.js';
import { watchWorkers } from './stream/worker-watch.js';

export interface ServiceOptions {
  config: Config;
  registry: Registry;
  /** Decides what rules and tokens leave open. Defaults to the code of `AUTHORIZE_MODULE`. */
  authorize?: Authorize | undefined;
  /** Whether the API is part of an application, which answers all other paths itself. Defaults to `false`. */
  embedded?: boolean;
  log: Logger;
}

/** An API process, except for its HTTP server. */
export interface ApiService {
  app: Express;
  /** The version of the connected Redis server. */
  redis: string;
  /** Ends all streams. Requests are still answered, but `/readyz` reports that the process is not ready. */
  retire(): void;
  /** Closes everything that was opened. Call it when all requests have been answered. */
  close(): Promise<void>;
}

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
  const secrets = await readSecrets(options, production);
  const opened = new CloseStack();

  const connection = await connectHeadway(config, 'request', log, registry, apiScripts);
  opened.defer(() => connection.disconnect());
  const subscriberRedis = connectRedis(config.REDIS_URL, 'subscriber');
  opened.defer(() => subscriberRedis.disconnect());
  const core: Core = { config, registry, plan, connection, subscriberRedis, log };

  const jobs = openJobs(core, production);
  const { access, permissions, adminSession, ...auth } = openAuth(core, secrets, jobs.readTombstone);
  const streams = openStreams(core, auth);
  const { reporting, feed, dashboard, overviews } = openLive({ ...core, ...streams });
  opened.adopt(reporting, stop);
  opened.defer(() => connection.outcomes.flush());
  const allViewers = [streams.viewers, dashboard, overviews];
  const services = startServices(core, jobs, streams, reporting, feed, allViewers);
  opened.defer(() => Promise.all(services.map(stop)));

  let stopping = false;
  const app = createApp({
    ...core,
    ...jobs,
    ...streams,
    access,
    permissions,
    adminSession,
    keys: { access, ...auth, redis: connection.redis, prefix: config.KEY_PREFIX },
    presence: createWatcherQuery(pubSubOf(core)),
    dashboard,
    overviews,
    embedded,
    stopping: () => stopping,
  });

  return {
    app,
    redis: connection.server.version,
    retire() {
      stopping = true;
      // The door first, so that a viewer whose stream is refused by a closed set is asked to reconnect.
      streams.streams.close();
      for (const viewers of allViewers) viewers.close();
    },
    close: () => opened.close(),
  };
}

/** What most parts of the API need. */
interface Core extends Pick<ServiceOptions, 'config' | 'registry' | 'log'> {
  plan: QueuePlan;
  connection: Connection;
  /** The connection for subscriptions. */
  subscriberRedis: Redis;
}

type Jobs = ReturnType<typeof openJobs>;
type Streams = ReturnType<typeof openStreams>;

const stop = (service: Service): Promise<void> => service.stop();

const pubSubOf = ({ config, connection, subscriberRedis }: Core) => ({
  redis: connection.redis,
  hub: subscriberRedis,
  prefix: config.KEY_PREFIX,
});

/** What starts, changes and remembers jobs. */
function openJobs({ config, registry, plan, connection, log }: Core, production: boolean) {
  const { redis, queuePrefix, openQueue, reconciler } = connection;
  const prefix = config.KEY_PREFIX;
  const store = openFileStore(fileStoreOptions(config));
  const canceller = createCanceller({ redis, openQueue, queuePrefix, reconciler, prefix });
  const expiry = createExpiry(redis, prefix);
  const schedules = createScheduleMaintainer({
    redis,
    prefix,
    openQueue,
    plan,
    readJob: connection.readJob,
    reconciler,
    expiry,
    files: store,
    filesTtlMs: config.FILES_TTL_MS,
    log,
  });
  const starter = createJobStarter({
    redis,
    prefix,
    openQueue,
    publisher: connection.publisher,
    registry,
    store,
    isHeld: connection.isHeld,
    expiry,
    oneTurn: true,
    webhooks: connection.webhooks,
    webhookRules: { ...webhookPolicy(config), ownSecret: production && !config.WEBHOOK_SECRET },
  });
  const readTombstone = createTombstoneReader(redis, queuePrefix);
  return { store, openQueue, canceller, expiry, schedules, starter, readTombstone };
}

/** The streams of channels: the door, the hub of subscriptions, and the viewers. */
function openStreams(
  { config, connection, subscriberRedis, log }: Core,
  { revocations }: Pick<Auth, 'revocations'>,
) {
  loadBound(log);
  const hub = new ChannelHub({
    redis: subscriberRedis,
    read: createReader(connection.redis, config.KEY_PREFIX),
    prefix: config.KEY_PREFIX,
    sharded: connection.server.sharded,
    onError: (error) => log.debug({ err: error }, 'could not subscribe; retrying when Redis is back'),
  });
  const viewerOptions: ViewerSetOptions = {
    isRevoked: revocations.isRevoked,
    stallTimeoutMs: config.STALL_TIMEOUT_MS,
    log,
  };
  const viewers = new ChannelViewers({ ...viewerOptions, hub, heartbeatMs: config.HEARTBEAT_MS });
  const streams = new StreamDoor({ redis: connection.redis, heartbeatMs: config.HEARTBEAT_MS, log });
  return { hub, viewerOptions, viewers, streams };
}

/** Starts what runs beside the requests. @returns what has to be stopped */
function startServices(
  core: Core,
  { store, canceller, expiry, schedules }: Jobs,
  { hub, viewers }: Streams,
  reporting: ProcessReporting,
  feed: DashboardFeed,
  allViewers: Array<ViewerSet<unknown>>,
): Service[] {
  const { config, plan, connection, subscriberRedis, log } = core;
  const { redis, queuePrefix, reconciler, faults } = connection;
  const register = createChildRegister(redis, queuePrefix, connection.readJob);
  const housekeeping = startHousekeeping({
    role: 'api',
    config,
    connection,
    plan,
    reconciler,
    following: reconciler.with(
      schedules.observer,
      childrenObserver(register, canceller),
      cancelObserver(canceller),
    ),
    onChanged: reporting.changed,
    schedules,
    expiry,
    canceller,
    store,
    log,
  });
  const endStreams = (jobId: string): void => hub.end(jobChannel(jobId));
  const recheck = startRecheck(hub, redis, reconciler, log, endStreams, faults);
  const listening = { redis: subscriberRedis, prefix: config.KEY_PREFIX, log };
  watchQueues({ ...listening, onChange: recheck.queue, onGap: recheck.all });
  watchRevocations({ ...listening, streams: allViewers });
  answerWatcherQueries({ ...pubSubOf(core), count: (channel) => hub.count(channel), log });
  const channels = () => hub.channels();
  return [
    housekeeping,
    recheck,
    followRemovedJobs({ channels, redis, queuePrefix, followed: plan.names, reconciler, faults, log }),
    watchWorkers({ channels, census: connection.census, onChange: recheck.queue, log }),
    watchPulse({
      connections: [redis, subscriberRedis],
      needed: () => allViewers.some(({ count }) => count > 0),
      onCheck(away) {
        viewers.setRedisAway(away);
        feed.setRedisAway(away);
      },
    }),
  ];
}
