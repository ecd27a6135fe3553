import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { type BullEntry, readBullEvents, saysOfQueue } from '../bullmq/bull-events.js';
import type { ForeignProgress } from '../bullmq/foreign-reports.js';
import { queueKey } from '../jobs/queues.js';
import type { Logger } from '../process/log.js';
import type { Service } from '../process/service.js';
import { createAttemptsReader } from './attempts.js';
import { createJobFaults, type JobFaults } from './job-faults.js';
import { Looks } from './looks.js';
import { publishQueueChange } from './queue-watch.js';
import type { Reconciler } from './reconcile.js';
import type { JobSnapshot } from './snapshot.js';

const LEASE_MS = 3000;
const ASK_MS = 1000;
const BLOCK_MS = 2000;
const BATCH = 500;
const STOP_MS = 1000;
/** Messages are handled this long apart, many at a time: attempts tell of themselves at once, this is for the rest. */
const PAUSE_MS = 100;
/** Jobs of a batch that take longer than this are not waited for. */
const PATIENCE_MS = 1000;
/** A key that is no event stream is looked at again after this long. */
const RECHECK_STREAMS_MS = 60_000;
/** An id of a stream's entry. */
const ENTRY_ID = /^\d{1,15}(-\d{1,15})?$/;

export interface QueueFollowerOptions {
  /** Workers come first: an API process takes over only while no worker holds the lease. */
  role: 'worker' | 'api';
  /** For short commands. */
  redis: Redis;
  /** Opens the connection on which the leader waits for events. */
  connect: () => Redis;
  prefix: string;
  queuePrefix: string;
  /** The queues to follow. */
  queues: string[];
  reconciler: Reconciler;
  /** Progress that was reported through BullMQ alone is told at most once in this many ms for each job. */
  progressIntervalMs: number;
  /** Hears of the jobs whose state has changed; of none where a queue was paused or resumed, or a bar has moved. */
  onChanged?: (jobs: Array<JobSnapshot | undefined>) => void;
  /** What one process at a time has to look after, every second or two. */
  chore: () => Promise<void>;
  /** Remembers which jobs were stepped over. Default: its own. */
  faults?: JobFaults;
  log: Logger;
}

const lua = (name: string): string => readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');

/**
 * Follows BullMQ's event streams, which BullMQ writes in the same step as each change of state, and has every
 * job that is named there reconciled. One process at a time does it (by a lease); the place it has reached is
 * kept in Redis for the next one. Doing an event twice, or skipping to the newest of a job's, changes nothing,
 * because `reconcile` looks at states.
 */
export function startQueueFollower({
  role,
  redis,
  connect,
  prefix,
  queuePrefix,
  queues,
  reconciler,
  progressIntervalMs,
  onChanged = () => {},
  chore,
  log,
  faults = createJobFaults(log),
}: QueueFollowerOptions): Service {
  const me = `${role}:${randomUUID()}`;
  const lease = `${prefix}:{bridge}:lease`;
  const cursorKey = `${prefix}:{bridge}:cursor`;
  /** The queue of each event stream. */
  const streams = new Map(queues.map((queue) => [queueKey(queuePrefix, queue, 'events'), queue]));
  if (!('takeLease' in redis)) redis.defineCommand('takeLease', { numberOfKeys: 1, lua: lua('lease') });
  const scripts = redis as unknown as {
    takeLease(key: string, who: string, ms: number): Promise<number>;
  };

  const attemptsAt = createAttemptsReader(redis, queuePrefix);

  let stopped = false;
  let leader: Promise<void> | undefined;
  let following: Redis | undefined;
  let heldUntil = 0;

  async function ask(): Promise<void> {
    const asked = performance.now();
    const held = await scripts.takeLease(lease, me, LEASE_MS);
    if (held === 1) heldUntil = asked + LEASE_MS;
    if (held === 1 && !leader && !stopped) {
      leader = follow().finally(() => {
        leader = undefined;
      });
    }
    if (held === 1) await chore();
    else heldUntil = 0;
  }

  async function follow(): Promise<void> {
    log.debug({ queues }, 'following the queues');
    following = connect();
    /** Progress that waits for its interval to be over, by job. */
    const held = new Map<string, ForeignProgress>();
    const looks = new Looks(faults, PATIENCE_MS);
    let publishedAt = 0;
    let moved = false;
    try {
      const keys = await readableStreams();
      const until =
        keys.length < streams.size ? performance.now() + RECHECK_STREAMS_MS : Number.POSITIVE_INFINITY;
      if (keys.length === 0) return await idle(until);
      const known = await redis.hmget(cursorKey, ...keys.map((key) => streams.get(key)!));
      const cursors = new Map(keys.map((key, i) => [key, ENTRY_ID.test(known[i] ?? '') ? known[i]! : '0']));
      while (leads() && performance.now() < until) {
        const from = keys.map((key) => cursors.get(key)!);
        const wait =
          held.size > 0
            ? Math.max(1, Math.ceil(publishedAt + progressIntervalMs - performance.now()))
            : BLOCK_MS;
        const reply = await following.xread(
          ...(['COUNT', BATCH, 'BLOCK', Math.min(wait, BLOCK_MS)] as const),
          'STREAMS',
          ...keys,
          ...from,
        );
        await Promise.all(
          (reply ?? []).map(([key, entries]) => handle(streams.get(key)!, entries, held, looks)),
        );
        if (held.size > 0 && performance.now() >= publishedAt + progressIntervalMs) {
          publishedAt = performance.now();
          const reported = [...held];
          held.clear();
          await looks.round(
            reported.map(([jobId, progress]) => ({
              jobId,
              work: () => reconciler.reconcile(jobId, undefined, progress),
            })),
          );
          onChanged([]);
        }
        for (const [key, entries] of reply ?? []) cursors.set(key, entries.at(-1)![0]);
        moved ||= reply !== null;
        // Whoever takes over begins with what was not told yet.
        if (moved && held.size === 0 && looks.idle) {
          await redis.hset(cursorKey, new Map([...cursors].map(([key, at]) => [streams.get(key)!, at])));
          moved = false;
        }
        // A full batch means that more are waiting.
        if (reply?.every(([, entries]) => entries.length < BATCH)) await sleep(PAUSE_MS);
      }
    } catch (error) {
      if (!stopped)
        log.warn({ err: error }, 'following the queues was interrupted; it goes on from where it was');
    } finally {
      following.disconnect();
      following = undefined;
    }
  }

  const leads = (): boolean => !stopped && performance.now() < heldUntil;

  /** The keys that can be followed. One that another program made something else of would keep all others from it. */
  async function readableStreams(): Promise<string[]> {
    const keys = [...streams.keys()];
    const types = await Promise.all(keys.map((key) => redis.type(key)));
    const isReadable = (i: number): boolean => types[i] === 'stream' || types[i] === 'none';
    const unreadable = keys.filter((_key, i) => !isReadable(i));
    if (unreadable.length > 0)
      log.warn({ keys: unreadable }, 'these keys are no event streams: not followed');
    return keys.filter((_key, i) => isReadable(i));
  }

  /** Leads without anything to follow. */
  async function idle(until: number): Promise<void> {
    while (leads() && performance.now() < until) await sleep(PAUSE_MS);
  }

  /** Sees to a batch of a queue's events. What they say of progress alone is held back for the next round. */
  async function handle(
    queue: string,
    entries: BullEntry[],
    held: Map<string, ForeignProgress>,
    looks: Looks,
  ): Promise<void> {
    if (entries.some(([, fields]) => saysOfQueue(fields))) {
      await publishQueueChange(redis, prefix, queue);
      onChanged([]);
    }
    const news = [...readBullEvents(queue, entries)];
    const reporting = news.filter(([, { progress }]) => progress !== undefined);
    const attempts = await attemptsAt(
      queue,
      entries.at(-1)![0],
      reporting.map(([, { id }]) => id),
    );
    for (const [i, [jobId, { progress }]] of reporting.entries()) {
      held.set(jobId, { ...progress!, attempt: attempts[i]! });
    }
    let round: Array<JobSnapshot | undefined> | undefined = [];
    const changed = news.flatMap(([jobId, { changed, hint, over }]) => {
      if (!changed) return [];
      const progress = over ? take(held, jobId) : undefined;
      const work = async (): Promise<void> => {
        const { job } = await reconciler.reconcile(jobId, hint, progress);
        // One that was not waited for is told by itself.
        if (round) round.push(job);
        else onChanged([job]);
      };
      return [{ jobId, work }];
    });
    try {
      await looks.round(changed);
    } finally {
      const seen = round;
      round = undefined;
      if (seen.length > 0) onChanged(seen);
    }
  }

  const tick = (): void => {
    ask().catch((error) => log.debug({ err: error }, 'could not lead'));
  };
  // An API process leaves a new worker the time to be first.
  const timer = setInterval(tick, role === 'worker' ? ASK_MS : 2 * ASK_MS);
  if (role === 'worker') tick();

  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      following?.disconnect();
      const release = async (): Promise<void> => {
        await leader;
        if (performance.now() < heldUntil && (await redis.get(lease)) === me) await redis.del(lease);
      };
      // While Redis is away its commands wait: then the lease runs out by itself.
      await Promise.race([release().catch(() => {}), sleep(STOP_MS, undefined, { ref: false })]);
    },
  };
}

function take<K, V>(map: Map<K, V>, key: K): V | undefined {
  const value = map.get(key);
  map.delete(key);
  return value;
}
