import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jobChannel } from '../shared/channel/keys.js';
import { createReader } from '../shared/channel/reader.js';
import { Subscriber } from '../shared/channel/subscriber.js';
import { readConfig } from '../shared/config.js';
import { connectHeadway } from '../shared/connection.js';
import { openFileStore } from '../shared/files/store.js';
import { createAudit } from '../shared/job-index/audit.js';
import { createGoneReader } from '../shared/job-index/gone.js';
import { createKeeper } from '../shared/job-index/keeper.js';
import { startBridge } from '../shared/lifecycle/bridge.js';
import { createChildRegister, withChildren } from '../shared/lifecycle/children.js';
import { createExpiry } from '../shared/lifecycle/expiry.js';
import { watchQueues } from '../shared/lifecycle/queue-watch.js';
import { startRecheck } from '../shared/lifecycle/recheck.js';
import { createWithdrawal } from '../shared/lifecycle/withdraw.js';
import { createLogger } from '../shared/log.js';
import { announce, onShutdown, runMain } from '../shared/process.js';
import { createQueues, planQueues } from '../shared/queues.js';
import { connectRedis } from '../shared/redis.js';
import { builtInJobsDir, loadRegistry } from '../shared/registry.js';
import { createScheduleKeeper } from '../shared/schedules/keeper.js';
import { webhookPolicy } from '../shared/webhooks/target.js';
import { createApp } from './app.js';
import { createAccess } from './auth/access.js';
import { userKeys } from './auth/keys.js';
import { adminToken, createTokens, signingSecret } from './auth/tokens.js';
import { readRules } from './channels/rules.js';
import { openDashboard } from './dashboard/open.js';
import { createAdminSession } from './dashboard/session.js';
import { createJobStarter } from './jobs/start.js';
import { listen } from './listen.js';
import { Viewers } from './stream/viewers.js';
import { startVanishedLook } from './vanished.js';

await runMain(async () => {
  const config = readConfig(process.env);
  const log = createLogger(config, 'api');
  const production = process.env.NODE_ENV === 'production';
  const secret = await signingSecret(config, production);
  const registry = await loadRegistry([builtInJobsDir, ...(config.JOBS_DIR ? [config.JOBS_DIR] : [])]);
  const plan = planQueues(registry, config.QUEUE_NAME);
  const rules = await readRules(config.CHANNEL_RULES);
  const connection = await connectHeadway(config, 'request', log, registry);
  const { redis, server: redisServer, queuePrefix, lifecycle, trackJob, keep } = connection;
  const store = openFileStore({
    dir: config.FILES_DIR,
    ttlMs: config.FILES_TTL_MS,
    minFreeBytes: config.FILES_MIN_FREE_BYTES,
    maxBytes: config.UPLOAD_MAX_BYTES,
  });
  const openQueue = createQueues(redis, queuePrefix, (error) =>
    log.debug({ err: error }, 'a queue met an error'),
  );
  const subscriberRedis = connectRedis(config.REDIS_URL, 'subscriber');
  const subscriber = new Subscriber({
    redis: subscriberRedis,
    read: createReader(redis, config.KEY_PREFIX),
    prefix: config.KEY_PREFIX,
    sharded: redisServer.sharded,
    onError: (error) => log.debug({ err: error }, 'could not subscribe; will again when Redis is back'),
  });
  const viewers = new Viewers({
    subscriber,
    heartbeatMs: config.HEARTBEAT_MS,
    stallTimeoutMs: config.STALL_TIMEOUT_MS,
    log,
  });

  const withdrawal = createWithdrawal({
    redis,
    openQueue,
    queuePrefix,
    lifecycle,
    prefix: config.KEY_PREFIX,
  });
  const expiry = createExpiry(redis, config.KEY_PREFIX);
  const schedules = createScheduleKeeper({
    redis,
    prefix: config.KEY_PREFIX,
    openQueue,
    plan,
    readJob: connection.readJob,
    lifecycle,
    expiry,
    files: store,
    filesTtlMs: config.FILES_TTL_MS,
    log,
  });

  const readGone = createGoneReader(redis, queuePrefix);

  const starter = createJobStarter({
    openQueue,
    publisher: connection.publisher,
    registry,
    store,
    expiry,
    oneTurn: true,
    webhooks: connection.webhooks,
    webhookRules: { ...webhookPolicy(config), ownSecret: production && !config.WEBHOOK_SECRET },
  });
  const register = createChildRegister(redis, queuePrefix, connection.readJob);

  const { dashboard, reporting } = openDashboard({
    config,
    connection,
    subscriberRedis,
    plan,
    registry,
    viewers,
    log,
  });

  let stopping = false;
  const app = createApp({
    config,
    connection,
    openQueue,
    plan,
    registry,
    store,
    access: createAccess({
      tokens: createTokens({
        secret,
        ttlMs: config.TOKEN_TTL_MS,
        keys: await userKeys(config, secret),
        audience: config.JWT_AUDIENCE,
        issuer: config.JWT_ISSUER,
      }),
      tokenTtlMs: config.TOKEN_TTL_MS,
      adminToken: await adminToken(config, production),
      readJob: connection.readJob,
      readGone,
    }),
    viewers,
    rules,
    withdrawal,
    starter,
    schedules,
    readGone,
    dashboard,
    adminSession: createAdminSession(config, secret),
    log,
    stopping: () => stopping,
  });
  const server = createServer(app);
  await listen(server, config);

  const keeper = createKeeper({ redis, prefix: config.KEY_PREFIX, queuePrefix, keep, lifecycle, store, log });
  const audit = createAudit({ redis, queuePrefix, queues: plan.names, trackJob });
  const bridge = startBridge({
    role: 'api',
    redis,
    connect: () => connectRedis(config.REDIS_URL, 'patient'),
    prefix: config.KEY_PREFIX,
    queuePrefix,
    queues: plan.names,
    lifecycle: withChildren(schedules.lifecycle, register, withdrawal),
    progressIntervalMs: config.PROGRESS_INTERVAL_MS,
    onChanged: reporting.changed,
    async chore() {
      await Promise.all([expiry.sweep(withdrawal), schedules.tend(), keeper.sweep()]);
      await audit.step();
    },
    log,
  });
  const recheck = startRecheck(subscriber, redis, lifecycle, log, (jobId) =>
    subscriber.end(jobChannel(jobId)),
  );
  watchQueues({
    redis: subscriberRedis,
    prefix: config.KEY_PREFIX,
    onChange: recheck.queue,
    onGap: recheck.all,
    log,
  });
  const vanishedLook = startVanishedLook({
    channels: () => subscriber.channels(),
    redis,
    queuePrefix,
    lifecycle,
    log,
  });

  onShutdown(log, async () => {
    stopping = true;
    viewers.close();
    dashboard.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    const impatient = setTimeout(() => server.closeAllConnections(), config.SHUTDOWN_GRACE_MS);
    await closed;
    clearTimeout(impatient);
    await Promise.all([bridge.stop(), recheck.stop(), vanishedLook.stop()]);
    await connection.outcomes.flush();
    await reporting.stop();
    subscriberRedis.disconnect();
    redis.disconnect();
  });
  const { port } = server.address() as AddressInfo;
  const host = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;
  const url = `http://${host}:${port}`;
  log.info({ url, redis: redisServer.version }, 'listening');
  announce({ type: 'listening', url });
});
