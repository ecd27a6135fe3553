import type { Express } from 'express';
import type { Authorize } from '../shared/auth/authorize.js';
import { ChannelHub } from '../shared/channel/hub.js';
import { jobChannel } from '../shared/channel/keys.js';
import { createReader } from '../shared/channel/reader.js';
import { answerWatcherQueries, createWatcherQuery } from '../shared/channel/watchers.js';
import { fileStoreOptions, openFileStore } from '../shared/files/store.js';
import { createTombstoneReader } from '../shared/job-index/tombstones.js';
import { planQueues } from '../shared/jobs/queues.js';
import type { Registry } from '../shared/jobs/registry.js';
import { createCanceller } from '../shared/lifecycle/cancel.js';
import { createChildRegister, withChildren } from '../shared/lifecycle/children.js';
import { createExpiry } from '../shared/lifecycle/expiry.js';
import { watchQueues } from '../shared/lifecycle/queue-watch.js';
import { startRecheck } from '../shared/lifecycle/recheck.js';
import type { Config } from '../shared/process/config.js';
import type { Logger } from '../shared/process/log.js';
import { connectRedis } from '../shared/redis/connect.js';
import { connectHeadway } from '../shared/runtime/connection.js';
import { startHousekeeping } from '../shared/runtime/leader.js';
import { createQueues } from '../shared/runtime/queues.js';
import { createScheduleMaintainer } from '../shared/schedules/maintainer.js';
import { webhookPolicy } from '../shared/webhooks/target.js';
import { createApp } from './app.js';
import { createAccess } from './auth/access.js';
import { createApiKeys } from './auth/api-keys.js';
import { askOf, loadAuthorize } from './auth/hook.js';
import { userKeys } from './auth/keys.js';
import { watchRevocations } from './auth/revocation-watch.js';
import { createRevocations } from './auth/revocations.js';
import { adminToken, createTokens, signingSecret } from './auth/tokens.js';
import { createPermissions } from './channels/permission.js';
import { readRules } from './channels/rules.js';
import { createJobStarter } from './jobs/start.js';
import { createAdminSession } from './live/session.js';
import { openDashboard } from './open-live.js';
import { StreamDoor } from './stream/door.js';
import { watchPulse } from './stream/redis-pulse.js';
import { followRemovedJobs } from './stream/removed-jobs.js';
import { loadBound } from './stream/socket-bound.js';
import { ChannelViewers } from './stream/viewers.js';
import { watchWorkers } from './worker-watch.js';

export interface ServiceOptions {
  config: Config;
  registry: Registry;
  /** Code that decides what rules cannot say; that of `AUTHORIZE_MODULE` unless given. */
  authorize?: Authorize | undefined;
  /** Whether it is part of somebody's application, which has its own answer for what is not ours. */
  embedded?: boolean;
  log: Logger;
}

/** What an API process does, but for listening. */
export interface Service {
  app: Express;
  /** The version of the Redis that it is connected to. */
  redis: string;
  /** Ends all streams; calls are still answered. `/readyz` says that it is not ready any more. */
  retire(): void;
  /** After the last call has been answered. */
  close(): Promise<void>;
}

/**
 * Puts the API together: its connections, its routes, and what it does beside answering.
 * @throws StartError, UnusableRedisError where it cannot be
 */
export async function openService(options: ServiceOptions): Promise<Service> {
  const { config, registry, log, embedded = false } = options;
  const production = process.env.NODE_ENV === 'production';
  const secret = await signingSecret(config, production);
  const plan = planQueues(registry, config.QUEUE_NAME);
  const rules = await readRules(config.CHANNEL_RULES);
  const ask = askOf(options.authorize ?? (await loadAuthorize(config.AUTHORIZE_MODULE)), log);
  const connection = await connectHeadway(config, 'request', log, registry);
  const { redis, server: redisServer, queuePrefix, reconciler } = connection;
  const store = openFileStore(fileStoreOptions(config));
  const openQueue = createQueues(redis, queuePrefix, (error) =>
    log.debug({ err: error }, 'a queue met an error'),
  );
  const subscriberRedis = connectRedis(config.REDIS_URL, 'subscriber');
  const hub = new ChannelHub({
    redis: subscriberRedis,
    read: createReader(redis, config.KEY_PREFIX),
    prefix: config.KEY_PREFIX,
    sharded: redisServer.sharded,
    onError: (error) => log.debug({ err: error }, 'could not subscribe; will again when Redis is back'),
  });
  const apiKeys = createApiKeys(redis, config.KEY_PREFIX);
  const revocations = createRevocations(redis, config.KEY_PREFIX, apiKeys);
  const viewerOptions = {
    isRevoked: revocations.isRevoked,
    stallTimeoutMs: config.STALL_TIMEOUT_MS,
    log,
  };
  const viewers = new ChannelViewers({ ...viewerOptions, hub, heartbeatMs: config.HEARTBEAT_MS });

  loadBound(log);
  const streams = new StreamDoor({ redis, heartbeatMs: config.HEARTBEAT_MS, log });

  const canceller = createCanceller({
    redis,
    openQueue,
    queuePrefix,
    reconciler,
    prefix: config.KEY_PREFIX,
  });
  const expiry = createExpiry(redis, config.KEY_PREFIX);
  const schedules = createScheduleMaintainer({
    redis,
    prefix: config.KEY_PREFIX,
    openQueue,
    plan,
    readJob: connection.readJob,
    reconciler,
    expiry,
    files: store,
    filesTtlMs: config.FILES_TTL_MS,
    log,
  });

  const readTombstone = createTombstoneReader(redis, queuePrefix);

  const starter = createJobStarter({
    redis,
    prefix: config.KEY_PREFIX,
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
  const register = createChildRegister(redis, queuePrefix, connection.readJob);

  const access = createAccess({
    tokens: createTokens({
      secret,
      ttlMs: config.TOKEN_TTL_MS,
      keys: await userKeys(config, secret),
      audience: config.JWT_AUDIENCE,
      issuer: config.JWT_ISSUER,
    }),
    apiKeys,
    revocations,
    ask,
    tokenTtlMs: config.TOKEN_TTL_MS,
    adminToken: await adminToken(config, production),
    readJob: connection.readJob,
    readTombstone,
  });
  const pubSub = { redis, hub: subscriberRedis, prefix: config.KEY_PREFIX };

  const { dashboard, overviews, reporting, feed } = openDashboard({
    config,
    connection,
    subscriberRedis,
    plan,
    registry,
    viewers,
    viewerOptions,
    log,
  });

  const audiences = [viewers, dashboard, overviews];

  let stopping = false;
  const app = createApp({
    config,
    connection,
    openQueue,
    plan,
    registry,
    store,
    access,
    permissions: createPermissions(rules, ask),
    presence: createWatcherQuery(pubSub),
    keys: { access, apiKeys, revocations, redis, prefix: config.KEY_PREFIX },
    viewers,
    streams,
    canceller,
    starter,
    schedules,
    readTombstone,
    dashboard,
    overviews,
    adminSession: createAdminSession(config, secret),
    embedded,
    log,
    stopping: () => stopping,
  });

  const housekeeping = startHousekeeping({
    role: 'api',
    config,
    connection,
    plan,
    reconciler,
    following: withChildren(schedules.reconciler, register, canceller),
    onChanged: reporting.changed,
    schedules,
    expiry,
    canceller,
    store,
    log,
  });
  const recheck = startRecheck(
    hub,
    redis,
    reconciler,
    log,
    (jobId) => hub.end(jobChannel(jobId)),
    connection.faults,
  );
  watchQueues({
    redis: subscriberRedis,
    prefix: config.KEY_PREFIX,
    onChange: recheck.queue,
    onGap: recheck.all,
    log,
  });
  watchRevocations({
    redis: subscriberRedis,
    prefix: config.KEY_PREFIX,
    streams: audiences,
    log,
  });
  answerWatcherQueries({ ...pubSub, count: (channel) => hub.count(channel), log });
  const removedJobs = followRemovedJobs({
    channels: () => hub.channels(),
    redis,
    queuePrefix,
    followed: plan.names,
    reconciler,
    faults: connection.faults,
    log,
  });

  const workerWatch = watchWorkers({
    channels: () => hub.channels(),
    census: connection.census!,
    onChange: recheck.queue,
    log,
  });
  const pulse = watchPulse({
    connections: [redis, subscriberRedis],
    needed: () => audiences.some(({ count }) => count > 0),
    onCheck(away) {
      viewers.setRedisAway(away);
      feed.setRedisAway(away);
    },
  });

  return {
    app,
    redis: redisServer.version,
    retire() {
      stopping = true;
      // Close the door first, so that a request which a closed audience refuses is told to reconnect.
      streams.close();
      for (const audience of audiences) audience.close();
    },
    async close() {
      await pulse.stop();
      await Promise.all([workerWatch, housekeeping, recheck, removedJobs].map((each) => each.stop()));
      await connection.outcomes.flush();
      await reporting.stop();
      subscriberRedis.disconnect();
      connection.disconnect();
    },
  };
}
