import { setTimeout as sleep } from 'node:timers/promises';
import { type BullEntry, isQueueEvent, readBullEvents } from '../bullmq/bull-events.js';
import type { ForeignProgress } from '../bullmq/foreign-reports.js';
import type { Keyspace } from '../keyspace.js';
import type { Logger } from '../process/log.js';
import type { Service } from '../process/service.js';
import type { RedisClient } from '../redis/client.js';
import { serverNow } from '../redis/server-clock.js';
import { createAttemptsReader } from './attempts.js';
import { createJobFaults, type JobFaults } from './job-faults.js';
import { JobRounds } from './job-rounds.js';
import { type HeldLeases, startLease } from './lease.js';
import { publishQueueChange } from './queue-watch.js';
import type { Reconciler } from './reconcile.js';
import type { JobSnapshot } from './snapshot.js';

const BLOCK_MS = 2000;
const BATCH = 500;
/**
 * How old an entry is before it is handled, in ms. By then our workers have published what it says themselves; the follower
 * is for the rest.
 */
const AGE_MS = 100;
/** How long a batch waits for its jobs, in ms. Slower ones finish in the background. */
const ROUND_WAIT_MS = 1000;
/** Time until a key that is not an event stream is checked again, in ms. */
const RECHECK_STREAMS_MS = 60_000;
/** The form of a stream entry's id. */
const ENTRY_ID = /^\d{1,15}(-\d{1,15})?$/;

/**
 * Finds the jobs of a queue for which a reconciliation would change nothing. A job that is not found may be up to date, too.
 * @returns the owner of each job that was found; empty for a job without one
 */
export type UpToDateCheck = (queue: string, jobIds: readonly string[]) => Promise<Map<string, string>>;

export interface QueueFollowerOptions {
  /** Workers have precedence: an API process leads only while no worker holds the lease. */
  role: 'worker' | 'api';
  /** For short commands. */
  redis: RedisClient;
  /** Opens the connection for the leader's blocking reads. */
  connect: () => RedisClient;
  keyspace: Keyspace;
  /** The queues to follow, all in the same shard. */
  queues: string[];
  /** Defaults to 0. */
  shard?: number;
  /** The leases that this process holds for other shards, for sharing them with other processes. */
  leases?: HeldLeases;
  reconciler: Reconciler;
  /** Finds the jobs that need no reconciliation. Defaults to none. */
  upToDate?: UpToDateCheck;
  /** The minimum time between two `progress` events of a job whose worker knows only BullMQ, in ms. */
  progressIntervalMs: number;
  /** Called with the jobs whose state has changed. The list is empty after a pause, a resume or progress. */
  onChanged?: (jobs: Array<Pick<JobSnapshot, 'settings'> | undefined>) => void;
  /** The work of the leader besides following, every second or two. */
  chore: () => Promise<void>;
  /** Skips broken jobs. Defaults to a new instance. */
  faults?: JobFaults;
  log: Logger;
}

/**
 * Follows the event streams of the queues and reconciles every job that they name and that is not up to date. BullMQ writes an event atomically with
 * each change of state. One process at a time follows, elected by a lease; its position is stored in Redis for the next
 * leader. Handling an event twice, or only the newest event of a job, changes nothing, because `reconcile` compares states.
 */
export function startQueueFollower({
  role,
  redis,
  connect,
  keyspace,
  queues,
  shard = 0,
  leases,
  reconciler,
  upToDate = async () => new Map(),
  progressIntervalMs,
  onChanged = () => {},
  chore,
  log,
  faults = createJobFaults(log),
}: QueueFollowerOptions): Service {
  /** The keys of the first shard are older than shards. */
  const keyOf = (name: string): string =>
    shard === 0 ? `${keyspace.prefix}:{bridge}:${name}` : `${keyspace.prefixOf(shard)}.${name}`;
  const cursorKey = keyOf('cursor');
  /** The queue of each event stream, by key. */
  const streams = new Map(queues.map((queue) => [keyspace.queueKey(queue, 'events'), queue]));
  const attemptsAt = createAttemptsReader(redis, keyspace);

  let stopped = false;
  let following: RedisClient | undefined;

  async function follow(isHeld: () => boolean): Promise<void> {
    const leads = (): boolean => !stopped && isHeld();
    log.debug({ queues }, 'following the queues');
    following = connect();
    /** The newest progress of each job, held back until its interval is over. */
    const held = new Map<string, ForeignProgress>();
    const rounds = new JobRounds(faults, ROUND_WAIT_MS);
    let publishedAt = 0;
    let moved = false;
    try {
      const readable = await readableStreams();
      const until =
        readable.length < streams.size ? performance.now() + RECHECK_STREAMS_MS : Number.POSITIVE_INFINITY;
      if (readable.length === 0) return await idle(leads, until);
      const known = await redis.hmget(cursorKey, ...readable.map(([, queue]) => queue));
      /** The queue of each stream that is followed, and the last entry that was read. */
      const cursors = new Map(
        readable.map(([key, queue], i) => {
          const saved = known[i] ?? '';
          return [key, { queue, at: ENTRY_ID.test(saved) ? saved : '0' }];
        }),
      );
      while (leads() && performance.now() < until) {
        const wait =
          held.size > 0
            ? Math.max(1, Math.ceil(publishedAt + progressIntervalMs - performance.now()))
            : BLOCK_MS;
        const reply = await following.xread(
          ...(['COUNT', BATCH, 'BLOCK', Math.min(wait, BLOCK_MS)] as const),
          'STREAMS',
          ...cursors.keys(),
          ...[...cursors.values()].map(({ at }) => at),
        );
        if (reply) await sleep(waitFor(reply));
        await Promise.all(
          (reply ?? []).map(async ([key, entries]) => {
            const cursor = cursors.get(key);
            if (cursor) await handle(cursor.queue, entries, held, rounds);
          }),
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
        for (const [key, entries] of reply ?? []) {
          const cursor = cursors.get(key);
          const last = entries.at(-1);
          if (cursor && last) cursor.at = last[0];
        }
        moved ||= reply !== null;
        // Saved only when nothing is pending, so that the next leader starts with what was not published.
        if (moved && held.size === 0 && rounds.idle) {
          await redis.hset(cursorKey, new Map([...cursors.values()].map(({ queue, at }) => [queue, at])));
          moved = false;
        }
      }
    } catch (error) {
      if (!stopped)
        log.warn({ err: error }, 'following the queues was interrupted; resuming from the last position');
    } finally {
      following.disconnect();
      following = undefined;
    }
  }

  /**
   * Returns the keys of the streams that can be read, and their queues. XREAD fails for all keys if another program has
   * replaced one of the streams.
   */
  async function readableStreams(): Promise<Array<[key: string, queue: string]>> {
    const keys = [...streams.keys()];
    const types = await Promise.all(keys.map((key) => redis.type(key)));
    const isReadable = (i: number): boolean => types[i] === 'stream' || types[i] === 'none';
    const unreadable = keys.filter((_key, i) => !isReadable(i));
    if (unreadable.length > 0)
      log.warn({ keys: unreadable }, 'not following these keys: they are not event streams');
    return [...streams].filter((_stream, i) => isReadable(i));
  }

  /** Keeps the lease and does the chores while no stream can be followed. */
  async function idle(leads: () => boolean, until: number): Promise<void> {
    while (leads() && performance.now() < until) await sleep(AGE_MS);
  }

  /** Handles a batch of a queue's events. Progress without a change of state is held back for the next interval. */
  async function handle(
    queue: string,
    entries: BullEntry[],
    held: Map<string, ForeignProgress>,
    rounds: JobRounds,
  ): Promise<void> {
    if (entries.some(([, fields]) => isQueueEvent(fields))) {
      await publishQueueChange(redis, keyspace, queue);
      onChanged([]);
    }
    const last = entries.at(-1);
    if (!last) return;
    const latest = [...readBullEvents(queue, entries)];
    const reporting = latest.flatMap(([jobId, { id, progress }]) =>
      progress ? [{ jobId, id, progress }] : [],
    );
    const attempts = await attemptsAt(
      queue,
      last[0],
      reporting.map(({ id }) => id),
    );
    for (const [i, { jobId, progress }] of reporting.entries()) {
      held.set(jobId, { ...progress, attempt: attempts[i] ?? 0 });
    }
    const owners = await upToDate(
      queue,
      latest.flatMap(([jobId, { changed, lines }]) => (changed && !lines && !held.has(jobId) ? [jobId] : [])),
    );
    let round: Array<Pick<JobSnapshot, 'settings'> | undefined> | undefined = Array.from(
      owners.values(),
      (owner) => ({ settings: { owner } }),
    );
    const changed = latest.flatMap(([jobId, { changed, lines, hint, ended }]) => {
      if (!(changed || lines) || owners.has(jobId)) return [];
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

  const lease = startLease({
    role,
    redis,
    key: keyOf('lease'),
    ...(leases ? { leases } : {}),
    lead: follow,
    chore,
    log,
  });
  return {
    async stop() {
      stopped = true;
      following?.disconnect();
      await lease.stop();
    },
  };
}

/** Returns how long to wait until the newest entries are old enough. Never longer than that, whatever the clocks say. */
function waitFor(streams: Array<[key: string, entries: BullEntry[]]>): number {
  const newest = Math.max(...streams.map(([, entries]) => Number(entries.at(-1)?.[0].split('-')[0])));
  return Math.min(Math.max(newest + AGE_MS - serverNow(), 0), AGE_MS);
}

function remove<K, V>(map: Map<K, V>, key: K): V | undefined {
  const value = map.get(key);
  map.delete(key);
  return value;
}
