import { accessSync, constants, mkdirSync, mkdtempSync } from 'node:fs';
import { createConnection, type NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseRedisUrl } from '../../../shared/process/redis-url.js';
import { redactRedisUrl } from '../../../shared/redis/unusable.js';
import { CliError, UsageError } from '../problem.js';
import type { ProcessGroup, ProcessGroups } from './groups.js';
import type { PrintLine } from './lines.js';

const DEFAULT_URL = 'redis://127.0.0.1:6379';
const ANSWER_MS = 800;
const START_MS = 10_000;
/** The maximum length of a Unix socket's path, in bytes. */
const SOCKET_PATH_BYTES = 100;

type EndHandler = (how: string, code: number) => void;

/** The Redis for the processes of a project. */
export interface DevelopmentRedis {
  url: string;
  /** The server, if it was started here. */
  server?: ProcessGroup;
}

/**
 * Finds the Redis of `REDIS_URL`. Without that, starts one for this project, so that projects do not share their jobs, or
 * uses the one at the default port if none is installed.
 * @param onEnd called when the server that was started here ends
 * @throws CliError if there is none
 * @throws UsageError for an invalid address
 */
export async function findRedis(
  groups: ProcessGroups,
  print: PrintLine,
  onEnd: EndHandler,
): Promise<DevelopmentRedis> {
  const { REDIS_URL: given } = process.env;
  if (given) {
    if (await canConnect(given)) return { url: given };
    throw new CliError(
      `no Redis responds at ${redactRedisUrl(given)} (REDIS_URL): start it, or unset REDIS_URL`,
    );
  }
  const program = findProgram('redis-server', 'valkey-server');
  if (program) return startServer(program, groups, print, onEnd);
  if (await canConnect(DEFAULT_URL)) return { url: DEFAULT_URL };
  throw new CliError(
    `there is no Redis: redis-server is not installed, and none responds at ${DEFAULT_URL}. Install it, or run: docker run -d -p 6379:6379 redis`,
  );
}

/** Starts a Redis on a Unix socket, so that it needs no free port and projects do not share it. */
async function startServer(
  program: string,
  groups: ProcessGroups,
  print: PrintLine,
  onEnd: EndHandler,
): Promise<DevelopmentRedis> {
  const folder = resolve(process.env.DATA_DIR || 'data', 'redis');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const inFolder = join(folder, 'redis.sock');
  const isShort = Buffer.byteLength(inFolder) <= SOCKET_PATH_BYTES;
  const path = isShort ? inFolder : join(mkdtempSync(join(tmpdir(), 'headway-')), 'redis.sock');
  const url = `unix:${path}`;
  // Another `headway dev` of this project has started it.
  if (await canConnect(url)) return { url };
  const settings = {
    port: '0',
    unixsocket: path,
    unixsocketperm: '700',
    dir: folder,
    // Jobs survive a restart.
    appendonly: 'yes',
    save: '',
    loglevel: 'warning',
  };
  let hasEnded = false;
  const lines: string[] = [];
  const server = groups.start(program, {
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    onLine: (line) => void lines.push(line),
    onEnd(how, code) {
      hasEnded = true;
      // What a server says that runs and stops as it should is of no interest.
      if (code !== 0) for (const line of lines) print('redis', line);
      onEnd(how, code);
    },
  });
  const deadline = performance.now() + START_MS;
  while (!hasEnded && !(await canConnect(url))) {
    if (performance.now() > deadline) throw new CliError(`${program} does not answer`);
    await sleep(20);
  }
  if (hasEnded) throw new CliError(`${program} does not start: its output is above`);
  print('redis', `started ${program}, with its data in ${folder}`);
  return { url, server };
}

/**
 * Whether a server accepts connections. For Sentinels and Clusters it is not checked: the processes say what they wait for.
 * @throws UsageError for an invalid address
 */
async function canConnect(url: string): Promise<boolean> {
  const target = addressOf(url);
  if (!target) return true;
  const socket = createConnection(target);
  try {
    return await new Promise((done) => {
      socket.setTimeout(ANSWER_MS, () => done(false));
      socket.once('connect', () => done(true));
      socket.once('error', () => done(false));
    });
  } finally {
    socket.destroy();
  }
}

function addressOf(url: string): NetConnectOpts | undefined {
  try {
    const { host, port, path } = parseRedisUrl(url);
    if (path !== undefined) return { path };
    return host === undefined || port === undefined ? undefined : { host, port };
  } catch (error) {
    throw new UsageError(`REDIS_URL: ${(error as Error).message}`);
  }
}

/** Returns the path of the first of these programs that is in the PATH. */
function findProgram(...names: string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
