import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask } from './redis-socket.mjs';
import { Stop } from './say.mjs';

/** The maximum length of a Unix socket's path, in bytes. */
const SOCKET_PATH_BYTES = 100;
const START_TIMEOUT_MS = 60_000;

/**
 * Starts the private Redis: on a Unix socket that only this user can open, with an append-only file in the data
 * folder, so that jobs survive a restart.
 * @param graceMs how long it may outlive a killed supervisor, for the processes that still use it
 * @returns the URL for `REDIS_URL`
 */
export async function startPrivateRedis(supervisor, program, dataDir, graceMs) {
  const dir = join(dataDir, 'redis');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const inFolder = join(dir, 'redis.sock');
  const socket =
    Buffer.byteLength(inFolder) <= SOCKET_PATH_BYTES
      ? inFolder
      : join(mkdtempSync(join(tmpdir(), 'headway-')), 'redis.sock');
  // A killed supervisor may have left its Redis: save and stop it before the new one opens the same files.
  if (existsSync(socket) && (await ask(socket, 'PING'))) {
    await ask(socket, 'SHUTDOWN');
    await until(async () => !(await ask(socket, 'PING')), 'the Redis of an earlier run does not exit');
  }
  const settings = {
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    dir,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    // Stores the hash of most jobs compactly. Redis before 7 knows only this name; later ones know it, too.
    'hash-max-ziplist-value': '512',
    loglevel: 'warning',
    daemonize: 'no',
  };
  await supervisor.start(
    'redis',
    program,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    { guard: { socket, graceMs } },
  );
  await until(
    async () => (await ask(socket, 'PING'))?.startsWith('+PONG'),
    'the private Redis does not answer',
  );
  return `unix:${socket}`;
}

async function until(condition, complaint) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Stop(complaint);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
