import { join } from 'node:path';
import { openDataFolder } from './data-folder.mjs';
import { startPrivateRedis } from './private-redis.mjs';
import { Stop } from './say.mjs';
import { Supervisor } from './supervisor.mjs';
import { ensureRedisServer } from './system.mjs';

/** A process that has not exited this long after its own deadline is killed, in ms. A supervisor kills its processes earlier. */
const REACTION_MS = 1500;

/** Arguments for node by program: `src/api/garbage-collection.ts` says why. */
export const START_ARGS = { api: ['--max-semi-space-size=4'], worker: [] };

/** Public channels to try out. By default, the service listens on its own machine only. */
const PUBLIC_CHANNELS = JSON.stringify([
  { channel: 'public.**', subscribe: 'anyone', publish: 'anyone', presence: 'anyone', shared: true },
]);

/**
 * Runs a private Redis (unless `REDIS_URL` or `REDIS_URL_FILE` names one), the API and a worker.
 * @param write receives the output of the children: (name, line) => void
 * @param nodeArgs arguments for node before the script's path
 * @param cancelled a promise that ends the start: the children may be waiting for a Redis that is away
 * @returns the address of the page, the file with the admin password (if there is one), functions that stop or kill
 *   everything, one that replaces the processes of API and worker one at a time (if one of them has several), and a promise for
 *   the name of a child that cannot run
 */
export async function startService({ root, env, write, nodeArgs = [], cancelled = new Promise(() => {}) }) {
  const data = openDataFolder(env.DATA_DIR || join(root, 'data'));
  const supervisor = new Supervisor(write);
  const graceMs = (await stopMs(env)) + REACTION_MS;
  const stop = async () => {
    await supervisor.stop('worker', 'api', 'redis');
    data.release();
  };
  try {
    const redis =
      env.REDIS_URL || env.REDIS_URL_FILE
        ? {}
        : {
            REDIS_URL: await startPrivateRedis(supervisor, await ensureRedisServer(), data.path, graceMs),
          };
    const childEnv = {
      ...env,
      ...redis,
      DATA_DIR: data.path,
      CHANNEL_RULES: env.CHANNEL_RULES || PUBLIC_CHANNELS,
      // A page asks for a dozen files.
      LOG_REQUESTS: env.LOG_REQUESTS || 'debug',
      // `node --watch` restarts one process.
      ...(nodeArgs.length > 0 ? { API_PROCESSES: '1', WORKER_PROCESSES: '1' } : {}),
    };
    const supervised = ['api', 'worker'].filter(
      (name) => !['', '1'].includes(childEnv[`${name.toUpperCase()}_PROCESSES`] ?? ''),
    );
    const restart = () => {
      for (const name of supervised) supervisor.signal(name, 'SIGHUP');
      return supervised;
    };
    const child = (name) =>
      supervisor.start(
        name,
        process.execPath,
        [...nodeArgs, ...START_ARGS[name], join(root, 'dist', name, 'main.js')],
        {
          env: childEnv,
          ipc: true,
          graceMs,
          // `node --watch` does not stop when its supervisor is killed.
          ...(nodeArgs.length > 0 ? { guard: {} } : {}),
        },
      );
    const up = Promise.all([child('api'), child('worker')]);
    const failed = await Promise.race([up.then(() => undefined), supervisor.failed, cancelled]);
    if (failed) throw new Stop(`the ${failed} process cannot run; its output above says why`);
    const [{ url }] = await up;
    const made = env.NODE_ENV === 'production' ? undefined : join(data.path, 'admin-token');
    const adminToken = env.ADMIN_TOKEN ? 'ADMIN_TOKEN' : env.ADMIN_TOKEN_FILE || made;
    return {
      url,
      adminToken,
      stop,
      kill: () => supervisor.kill(),
      restart: supervised.length > 0 ? restart : undefined,
      failed: supervisor.failed,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** How long a process takes to stop at most, in ms. The processes themselves check the settings. */
async function stopMs(env) {
  const { CLOSE_MS, drainDelayOf, stopSettings } = await import('../../dist/shared/process/stop-settings.js');
  const setting = (name) => stopSettings[name].safeParse(env[name] || undefined).data ?? 0;
  const drainMs = drainDelayOf({ DRAIN_DELAY_MS: setting('DRAIN_DELAY_MS'), HOST: env.HOST || '127.0.0.1' });
  return drainMs + setting('SHUTDOWN_GRACE_MS') + CLOSE_MS;
}
