import { refusedCalls } from './acl.js';
import { ADMIN_TOKEN } from './dashboard.js';
import { type Headway, startHeadway } from './headway.js';
import { inThread, jobsDir } from './jobs.js';
import { openRedis } from './redis.js';
import { bearer } from './tokens.js';
import { until } from './until.js';

/** The origin of another site that may call the API. */
export const FRIEND = 'https://app.example';
/** Open channels, as with `npm start`, and others that only an admin publishes to. */
const CHANNEL_RULES = [
  { channel: 'public.**', subscribe: 'anyone', publish: 'anyone' },
  { channel: 'news.**', subscribe: 'anyone' },
];
const JOBS = [
  'flaky',
  'hostile',
  'poem',
  'steered',
  'thrower',
  'watched',
  inThread('thrower'),
  inThread('watched'),
];

let shared: Headway | undefined;

/**
 * Lends the installation that the test files of a vitest worker share: starting its processes takes over a second of CPU.
 * It ends with the vitest worker; `stop` gives it back.
 *
 * A file can borrow it if these settings are enough for it, and if it
 * - only looks at its own jobs, owners and channels, not at counts or lists of everything,
 * - stops, pauses or breaks nothing that it does not repair, and neither empties Redis nor cuts its connections.
 *
 * Other files start their own with {@link startHeadway}.
 */
export async function borrowHeadway(): Promise<Headway> {
  const lent = (await takeShared()) ?? (await startShared());
  const connection = openRedis(lent.redis.url);
  connection.on('error', () => {});
  return {
    ...lent,
    connection,
    async stop() {
      const refused = await refusedCalls(connection);
      connection.disconnect();
      // The documented permissions are those that are needed: see src/shared/permissions/needs.ts.
      if (refused.length > 0) {
        await lent.stop();
        throw new Error(`Redis has refused Headway: ${refused.join(', ')}`);
      }
      if (await isTidied(lent)) shared = lent;
      else await lent.stop();
    },
  };
}

const startShared = (): Promise<Headway> =>
  startHeadway({
    restricted: true,
    env: {
      ADMIN_TOKEN,
      CHANNEL_RULES: JSON.stringify(CHANNEL_RULES),
      CORS_ORIGINS: `${FRIEND}, http://localhost:5173`,
      WORKER_CONCURRENCY: '100',
      JOBS_DIR: jobsDir(...JOBS),
    },
    args: [`--stop-with-parent=${process.pid}`],
  });

/** Takes the shared installation, if it is there and healthy. A file that does not give it back leaves none. */
async function takeShared(): Promise<Headway | undefined> {
  const taken = shared;
  shared = undefined;
  if (!taken || (await isHealthy(taken))) return taken;
  await taken.stop();
  return undefined;
}

async function isHealthy({ api, workers }: Headway): Promise<boolean> {
  const isReady = await fetch(`${api.url}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
  return isReady && workers.every(({ child }) => child.exitCode === null && child.signalCode === null);
}

/** Cancels the jobs that a file has left, and removes its schedules. Returns false if some of them remain. */
async function isTidied({ api }: Headway): Promise<boolean> {
  const call = (method: string, path: string): Promise<Response> =>
    fetch(`${api.url}${path}`, { method, headers: bearer(ADMIN_TOKEN) });
  type Item = { links: { self: string; cancel: string } };
  const list = async (path: string): Promise<Record<'jobs' | 'schedules', Item[]>> =>
    (await (await call('GET', path)).json()) as Record<'jobs' | 'schedules', Item[]>;
  const unfinished = ['waiting', 'delayed', 'prioritized', 'waiting-children', 'active'];
  const isEmpty = async (): Promise<boolean> => {
    const { schedules } = await list('/v1/schedules?limit=200');
    for (const { links } of schedules) await call('DELETE', links.self);
    const { jobs } = await list(
      `/v1/jobs?limit=200&${unfinished.map((state) => `state=${state}`).join('&')}`,
    );
    for (const { links } of jobs) await call('POST', links.cancel);
    return schedules.length === 0 && jobs.length === 0;
  };
  return until('no jobs and schedules are left', isEmpty, 5000).catch(() => false);
}
