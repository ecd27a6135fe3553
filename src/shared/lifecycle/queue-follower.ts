import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { type BullEntry, isQueueEvent, readBullEvents } from '../bullmq/bull-events.js';
import type { ForeignProgress } from '../bullmq/foreign-reports.js';
import { queueKey } from '../jobs/queues.js';
import type { Logger } from '../process/log.js';
import type { Service } from '../process/service.js';
import { scriptsOf } from '../redis/scripts.js';
import { createAttemptsReader } from './attempts.js';
import { createJobFaults, type JobFaults } from './job-faults.js';
import { JobRounds } from './job-rounds.js';
import { publishQueueChange } from './queue-watch.js';
import type { Reconciler } from './reconcile.js';
import { lifecycleScripts } from './scripts.js';
import type { JobSnapshot } from './snapshot.js';

const LEASE_MS = 3000;
const RENEW_MS = 1000;
const BLOCK_MS = 2000;
const BATCH = 500;
const STOP_MS = 1000;
/** The pause between two batches, in ms. Our workers publish their attempts at once; the follower is for the rest. */
const PAUSE_MS = 100;
/** How long a batch waits for its jobs, in ms. Slower ones finish in the background. */
const ROUND_WAIT_MS = 1000;
/** How long until a key that is not an event stream is checked again, in ms. */
const RECHECK_STREAMS_MS = 60_000;
/** The form of a stream entry's id. */
const ENTRY_ID = /^\d{1,15}(-\d{1,15})?$/;

export interface QueueFollowerOptions {
  /** Workers have precedence: an API process leads only while no worker holds the lease. */
  role: 'worker' | 'api';
  /** For short commands. */
  redis: Redis;
  /** Opens the connection for the leader's blocking reads. */
  connect: () => Redis;
  prefix: string;
  queuePrefix: string;
  /** The queues to follow. */
  queues: string[];
  reconciler: Reconciler;
  /** The minimum time between two `progress` events of a job whose worker knows only BullMQ, in ms. */
  progressIntervalMs: number;
  /** Called with the jobs whose state has changed; with none when a queue was paused or resumed, or progress was made. */
  onChanged?: (jobs: Array<JobSnapshot | undefined>) => void;
  /** The work of the leader besides following, every second or two. */
  chore: () => Promise<void>;
  /** Skips broken jobs. Defaults to a new instance. */
  faults?: JobFaults;
  log: Logger;
}

/**
 * Follows the event streams of the queues and reconciles every job that they name. BullMQ writes an event atomically with
 * each change of state. One process at a time follows, elected by a lease; its position is stored in Redis for the next
 * leader. Handling an event twice, or only the newest event of a job, changes nothing, because `reconcile` compares states.
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
  const holder = `${role}:${randomUUID()}`;
  const lease = `${prefix}:{bridge}:lease`;
  const cursorKey = `${prefix}:{bridge}:cursor`;
  /** The queue of each event stream, by key. */
  const streams = new Map(queues.map((queue) => [queueKey(queuePrefix, queue, 'events'), queue]));
  const scripts = scriptsOf(redis, lifecycleScripts);

  const attemptsAt = createAttemptsReader(redis, queuePrefix);

  let stopped = false;
  let leader: Promise<void> | undefined;
  let following: Redis | undefined;
  let heldUntil = 0;

  async function renewLease(): Promise<void> {
    const asked = performance.now();
    const held = await scripts.takeLease(lease, holder, LEASE_MS);
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
    /** The newest progress of each job, held back until its interval is over. */
    const held = new Map<string, ForeignProgress>();
    const rounds = new JobRounds(faults, ROUND_WAIT_MS);
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
          (reply ?? []).map(([key, entries]) => handle(streams.get(key)!, entries, held, rounds)),
        );
        if (held.size > 0 && performance.now() >= publishedAt + progressIntervalMs) {
          publishedAt = performance.now();
          const reported = [...held];
          held.clear();
          await rounds.run(
            reported.map(([jobId, progress]) => ({
              jobId,
              work: () => reconciler.reconcile(jobId, undefined, progress),
            })),
          );
          onChanged([]);
        }
        for (const [key, entries] of reply ?? []) cursors.set(key, entries.at(-1)![0]);
        moved ||= reply !== null;
        // Saved only when nothing is pending, so that the next leader starts with what was not published.
        if (moved && held.size === 0 && rounds.idle) {
          await redis.hset(cursorKey, new Map([...cursors].map(([key, at]) => [streams.get(key)!, at])));
          moved = false;
        }
        // A full batch means that more entries are waiting.
        if (reply?.every(([, entries]) => entries.length < BATCH)) await sleep(PAUSE_MS);
      }
    } catch (error) {
      if (!stopped)
        log.warn({ err: error }, 'following the queues was interrupted; resuming from the last position');
    } finally {
      following.disconnect();
      following = undefined;
    }
  }

  const leads = (): boolean => !stopped && performance.now() < heldUntil;

  /** Returns the keys that can be read. XREAD fails for all keys if another program has replaced one of the streams. */
  async function readableStreams(): Promise<string[]> {
    const keys = [...streams.keys()];
    const types = await Promise.all(keys.map((key) => redis.type(key)));
    const isReadable = (i: number): boolean => types[i] === 'stream' || types[i] === 'none';
    const unreadable = keys.filter((_key, i) => !isReadable(i));
    if (unreadable.length > 0)
      log.warn({ keys: unreadable }, 'not following these keys: they are not event streams');
    return keys.filter((_key, i) => isReadable(i));
  }

  /** Keeps the lease and does the chores while no stream can be followed. */
  async function idle(until: number): Promise<void> {
    while (leads() && performance.now() < until) await sleep(PAUSE_MS);
  }

  /** Handles a batch of a queue's events. Progress without a change of state is held back for the next interval. */
  async function handle(
    queue: string,
    entries: BullEntry[],
    held: Map<string, ForeignProgress>,
    rounds: JobRounds,
  ): Promise<void> {
    if (entries.some(([, fields]) => isQueueEvent(fields))) {
      await publishQueueChange(redis, prefix, queue);
      onChanged([]);
    }
    const latest = [...readBullEvents(queue, entries)];
    const reporting = latest.filter(([, { progress }]) => progress !== undefined);
    const attempts = await attemptsAt(
      queue,
      entries.at(-1)![0],
      reporting.map(([, { id }]) => id),
    );
    for (const [i, [jobId, { progress }]] of reporting.entries()) {
      held.set(jobId, { ...progress!, attempt: attempts[i]! });
    }
    let round: Array<JobSnapshot | undefined> | undefined = [];
    const changed = latest.flatMap(([jobId, { changed, hint, ended }]) => {
      if (!changed) return [];
      const progress = ended ? remove(held, jobId) : undefined;
      const work = async (): Promise<void> => {
        const { job } = await reconciler.reconcile(jobId, hint, progress);
        // A job that took too long for the round is reported on its own.
        if (round) round.push(job);
        else onChanged([job]);
      };
      return [{ jobId, work }];
    });
    try {
      await rounds.run(changed);
    } finally {
      const seen = round;
      round = undefined;
      if (seen.length > 0) onChanged(seen);
    }
  }

  const tick = (): void => {
    renewLease().catch((error) => log.debug({ err: error }, 'could not renew the lease'));
  };
  // An API process waits longer, so that a new worker gets the lease first.
  const timer = setInterval(tick, role === 'worker' ? RENEW_MS : 2 * RENEW_MS);
  if (role === 'worker') tick();

  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      following?.disconnect();
      const release = async (): Promise<void> => {
        await leader;
        if (performance.now() < heldUntil && (await redis.get(lease)) === holder) await redis.del(lease);
      };
      // Commands wait while Redis is unavailable. The lease then expires on its own.
      await Promise.race([release().catch(() => {}), sleep(STOP_MS, undefined, { ref: false })]);
    },
  };
}

function remove<K, V>(map: Map<K, V>, key: K): V | undefined {
  const value = map.get(key);
  map.delete(key);
  return value;
}
