import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Queue } from 'bullmq';
import { createReader } from '../shared/channel/reader.js';
import { Subscriber } from '../shared/channel/subscriber.js';
import { readConfig } from '../shared/config.js';
import { connectHeadway } from '../shared/connection.js';
import { openFileStore } from '../shared/files/store.js';
import { startBridge } from '../shared/lifecycle/bridge.js';
import { createExpiry } from '../shared/lifecycle/expiry.js';
import { createWithdrawal } from '../shared/lifecycle/withdraw.js';
import { createLogger } from '../shared/log.js';
import { announce, onShutdown, runMain } from '../shared/process.js';
import { connectRedis } from '../shared/redis.js';
import { builtInJobsDir, loadRegistry } from '../shared/registry.js';
import { createAccess } from './access.js';
import { createApp } from './app.js';
import { listen } from './listen.js';
import { startRecheck } from './recheck.js';
import { Viewers } from './stream/viewers.js';
import { createTokens, signingSecret } from './tokens.js';

await runMain(async () => {
  const config = readConfig(process.env);
  const log = createLogger(config, 'api');
  const secret = await signingSecret(config, process.env.NODE_ENV === 'production');
  const registry = await loadRegistry([builtInJobsDir, ...(config.JOBS_DIR ? [config.JOBS_DIR] : [])]);
  const connection = await connectHeadway(config, 'request', log);
  const { redis, server: redisServer, queue: keys, lifecycle } = connection;
  const store = openFileStore({
    dir: config.FILES_DIR,
    ttlMs: config.FILES_TTL_MS,
    minFreeBytes: config.FILES_MIN_FREE_BYTES,
    maxBytes: config.UPLOAD_MAX_BYTES,
  });
  const queue = new Queue(keys.queue, { connection: redis, prefix: keys.prefix });
  queue.on('error', (error) => log.debug({ err: error }, 'the queue met an error'));
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

  const withdrawal = createWithdrawal({ redis, queue, keys, lifecycle, prefix: config.KEY_PREFIX });
  const expiry = createExpiry(redis, config.KEY_PREFIX);

  let stopping = false;
  const app = createApp({
    config,
    connection,
    queue,
    registry,
    store,
    access: createAccess(createTokens(secret, config.TOKEN_TTL_MS), config.TOKEN_TTL_MS),
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
    keys,
    lifecycle,
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
