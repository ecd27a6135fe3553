import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createReader } from '../shared/channel/reader.js';
import { Subscriber } from '../shared/channel/subscriber.js';
import { readConfig } from '../shared/config.js';
import { connectHeadway } from '../shared/connection.js';
import { openFileStore } from '../shared/files/store.js';
import { startBridge } from '../shared/lifecycle/bridge.js';
import { createChildRegister, withChildren } from '../shared/lifecycle/children.js';
import { createExpiry } from '../shared/lifecycle/expiry.js';
import { startRecheck } from '../shared/lifecycle/recheck.js';
import { createWithdrawal } from '../shared/lifecycle/withdraw.js';
import { createLogger } from '../shared/log.js';
import { announce, onShutdown, runMain } from '../shared/process.js';
import { createQueues, planQueues } from '../shared/queues.js';
import { connectRedis } from '../shared/redis.js';
import { builtInJobsDir, loadRegistry } from '../shared/registry.js';
import { createAccess } from './access.js';
import { createApp } from './app.js';
import { listen } from './listen.js';
import { Viewers } from './stream/viewers.js';
import { adminToken, createTokens, signingSecret } from './tokens.js';

await runMain(async () => {
  const config = readConfig(process.env);
  const log = createLogger(config, 'api');
  const production = process.env.NODE_ENV === 'production';
  const secret = await signingSecret(config, production);
  const registry = await loadRegistry([builtInJobsDir, ...(config.JOBS_DIR ? [config.JOBS_DIR] : [])]);
  const plan = planQueues(registry, config.QUEUE_NAME);
  const connection = await connectHeadway(config, 'request', log);
  const { redis, server: redisServer, queuePrefix, lifecycle } = connection;
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
  const register = createChildRegister(redis, queuePrefix, connection.readJob);

  let stopping = false;
  const app = createApp({
    config,
    connection,
    openQueue,
    plan,
    registry,
    store,
    access: createAccess({
      tokens: createTokens(secret, config.TOKEN_TTL_MS),
      tokenTtlMs: config.TOKEN_TTL_MS,
      adminToken: await adminToken(config, production),
      readJob: connection.readJob,
    }),
    viewers,
    subscriber,
    withdrawal,
    expiry,
    log,
    stopping: () => stopping,
  });
  const server = createServer(app);
  await listen(server, config);

  const bridge = startBridge({
    role: 'api',
    redis,
    connect: () => connectRedis(config.REDIS_URL, 'patient'),
    prefix: config.KEY_PREFIX,
    queuePrefix,
    queues: plan.names,
    lifecycle: withChildren(lifecycle, register, withdrawal),
    chore: () => expiry.sweep(withdrawal),
    log,
  });
  const recheck = startRecheck(subscriber, redis, lifecycle, log);

  onShutdown(log, async () => {
    stopping = true;
    viewers.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    const impatient = setTimeout(() => server.closeAllConnections(), config.SHUTDOWN_GRACE_MS);
    await closed;
    clearTimeout(impatient);
    await Promise.all([bridge.stop(), recheck.stop()]);
    subscriberRedis.disconnect();
    redis.disconnect();
  });
  const { port } = server.address() as AddressInfo;
  const host = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;
  const url = `http://${host}:${port}`;
  log.info({ url, redis: redisServer.version }, 'listening');
  announce({ type: 'listening', url });
});
