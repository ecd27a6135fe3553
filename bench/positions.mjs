// Two million jobs wait in a queue, and as many prioritized ones in another: the time that Redis needs for a look at the
// positions of watched jobs. A look takes place once a second for each queue with watched jobs. The peer is the same look at a
// queue in which a thousand jobs wait. LPOS, which finds the position of one job in the list, is printed beside it.
import { apiScripts } from '../dist/api/jobs/scripts.js';
import { createPositionReader } from '../dist/api/queue-positions/read.js';
import { positionScripts } from '../dist/api/queue-positions/scripts.js';
import { createKeyspace } from '../dist/shared/keyspace.js';
import { connectRedis } from '../dist/shared/redis/connect.js';
import { sharedScripts } from '../dist/shared/runtime/scripts.js';
import { row } from './lib/goals.mjs';
import { startRedis } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { median, printTable } from './lib/table.mjs';

const MANY = scaled(2_000_000);
const FEW = 1000;
/** Jobs of one queue that are watched in a process. */
const WATCHED = 200;
const ROUNDS = 25;
const AT_ONCE = 5000;
const keyspace = createKeyspace('bench');

const idOf = (queue, i) => `${queue}.${i.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;

/** Adds waiting jobs as BullMQ does: the list, and of the watched ones, which are spread over it, the hash. */
async function addJobs(redis, queue, count, prioritized) {
  const key = (suffix) => keyspace.queueKey(queue, suffix);
  for (let i = 0; i < count; i += AT_ONCE) {
    const ids = Array.from({ length: Math.min(AT_ONCE, count - i) }, (_, n) => idOf(queue, i + n));
    await (prioritized
      ? redis.zadd(key('prioritized'), ...ids.flatMap((id, n) => [(1 + ((i + n) % 9)) * 2 ** 32 + i + n, id]))
      : redis.lpush(key('wait'), ...ids));
  }
  const watched = Array.from({ length: WATCHED }, (_, n) => idOf(queue, Math.floor((n * count) / WATCHED)));
  for (const id of watched) await redis.hset(key(id), { name: queue, data: '{}', timestamp: 1 });
  return watched;
}

/** Returns the median time that Redis needs for a call, in microseconds: without the network. */
async function serverTime(redis, command, call) {
  const times = [];
  for (let i = 0; i < ROUNDS; i++) {
    await redis.config('RESETSTAT');
    await call();
    const stats = await redis.info('commandstats');
    const [, us] = new RegExp(`^cmdstat_${command}:calls=1,usec=(\\d+)`, 'm').exec(stats);
    times.push(Number(us));
  }
  return median(times);
}

export async function positions() {
  console.log(
    `\npositions: ${MANY} waiting jobs; microseconds of Redis for a look at the positions of watched jobs`,
  );
  const server = await startRedis();
  const redis = connectRedis(server.url, 'patient', {
    scripts: { ...sharedScripts, ...apiScripts, ...positionScripts },
  });
  const readPositions = createPositionReader(redis, keyspace);
  const cases = [];
  for (const prioritized of [false, true]) {
    const kind = prioritized ? 'prioritized' : 'waiting';
    const [few, many] = [`few-${kind}`, `many-${kind}`];
    const watched = {
      [few]: await addJobs(redis, few, FEW, prioritized),
      [many]: await addJobs(redis, many, MANY, prioritized),
    };
    for (const [what, of] of [
      ['the last one', (ids) => ids.slice(-1)],
      ['200 of them', (ids) => ids],
    ]) {
      const timeIn = async (queue) => {
        const jobIds = of(watched[queue]);
        const found = await readPositions(queue, jobIds);
        if (found.size !== jobIds.length)
          throw new Error(`${queue}: ${found.size} of ${jobIds.length} positions`);
        return serverTime(redis, 'evalsha', () => readPositions(queue, jobIds));
      };
      cases.push({ what: `${kind} jobs, ${what}`, few: await timeIn(few), many: await timeIn(many) });
    }
  }
  const last = idOf('many-waiting', MANY - 1);
  const lpos = await serverTime(redis, 'lpos', () =>
    redis.lpos(keyspace.queueKey('many-waiting', 'wait'), last, 'RANK', -1),
  );
  redis.disconnect();
  await server.stop();

  printTable([
    ['µs', `${FEW} jobs`, `${MANY} jobs`],
    ...cases.map(({ what, few, many }) => [what, few, many]),
    ['the last one with LPOS, which blocks Redis', '', lpos],
  ]);
  return cases.map(({ what, few, many }) =>
    row(`two million ${what}`, { unit: 'µs', peer: few, headway: many, atMost: 3 }),
  );
}
