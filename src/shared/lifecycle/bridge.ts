import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Logger } from '../log.js';
import { addressOf, jobIdOf, queueKey } from '../queues.js';
import { tellQueueChanged } from './queue-watch.js';
import type { Lifecycle } from './reconcile.js';
import type { EndHint } from './snapshot.js';

const LEASE_MS = 3000;
const ASK_MS = 1000;
const BLOCK_MS = 2000;
const BATCH = 500;
const STOP_MS = 1000;
/** Messages are handled this long apart, many at a time: attempts tell of themselves at once, this is for the rest. */
const PAUSE_MS = 100;

export interface BridgeOptions {
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
  lifecycle: Lifecycle;
  /** What one process at a time has to look after, every second or two. */
  chore: () => Promise<void>;
  log: Logger;
}

/** Something that runs until it is stopped. */
export interface Running {
  stop(): Promise<void>;
}

const lua = readFileSync(new URL('./scripts/lease.lua', import.meta.url), 'utf8');

/**
 * Follows BullMQ's event streams, which BullMQ writes in the same step as each change of state, and has every
 * job that is named there reconciled. One process at a time does it (by a lease); the place it has reached is
 * kept in Redis for the next one. Doing an event twice, or skipping to the newest of a job's, changes nothing,
 * because `reconcile` looks at states.
 */
export function startBridge({
  role,
  redis,
  connect,
  prefix,
  queuePrefix,
  queues,
  lifecycle,
  chore,
  log,
}: BridgeOptions): Running {
  const me = `${role}:${randomUUID()}`;
  const lease = `${prefix}:{bridge}:lease`;
  const cursorKey = `${prefix}:{bridge}:cursor`;
  /** The queue of each event stream. */
  const streams = new Map(queues.map((queue) => [queueKey(queuePrefix, queue, 'events'), queue]));
  if (!('takeLease' in redis)) redis.defineCommand('takeLease', { numberOfKeys: 1, lua });
  const scripts = redis as unknown as { takeLease(key: string, who: string, ms: number): Promise<number> };

  let stopped = false;
  let leader: Promise<void> | undefined;
  let following: Redis | undefined;
  let heldUntil = 0;

  async function ask(): Promise<void> {
    const asked = Date.now();
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
    try {
      const keys = [...streams.keys()];
      const known = await redis.hmget(cursorKey, ...queues);
      const cursors = new Map(keys.map((key, i) => [key, known[i] ?? '0']));
      while (!stopped && Date.now() < heldUntil) {
        const from = keys.map((key) => cursors.get(key)!);
        const reply = await following.xread('COUNT', BATCH, 'BLOCK', BLOCK_MS, 'STREAMS', ...keys, ...from);
        if (!reply) continue;
        await Promise.all(reply.map(([key, entries]) => handle(streams.get(key)!, entries)));
        for (const [key, entries] of reply) cursors.set(key, entries.at(-1)![0]);
        await redis.hset(
          cursorKey,
          reply.flatMap(([key]) => [streams.get(key)!, cursors.get(key)!]),
        );
        // A full batch means that more are waiting.
        if (reply.every(([, entries]) => entries.length < BATCH)) await sleep(PAUSE_MS);
      }
    } catch (error) {
      if (!stopped)
        log.warn({ err: error }, 'following the queues was interrupted; it goes on from where it was');
    } finally {
      following.disconnect();
      following = undefined;
    }
  }

  async function handle(queue: string, entries: Array<[id: string, fields: string[]]>): Promise<void> {
    // Only the newest message of each job: what came before shows in the job's state.
    const hints = new Map<string, EndHint | undefined>();
    let queueChanged = false;
    for (const [, fields] of entries) {
      const event = fieldsOf(fields);
      if (event.event === 'paused' || event.event === 'resumed') queueChanged = true;
      if (!event.jobId || event.event === 'progress') continue;
      const jobId = jobIdOf({ queue, id: event.jobId });
      hints.set(jobId, endHint(event) ?? hints.get(jobId));
    }
    if (queueChanged) await tellQueueChanged(redis, prefix, queue);
    // An id that a tool made up may have a form that no channel's name can have.
    const known = Array.from(hints).filter(([jobId]) => addressOf(jobId));
    await Promise.all(known.map(([jobId, hint]) => lifecycle.reconcile(jobId, hint)));
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
        if (Date.now() < heldUntil && (await redis.get(lease)) === me) await redis.del(lease);
      };
      // While Redis is away its commands wait: then the lease runs out by itself.
      await Promise.race([release().catch(() => {}), sleep(STOP_MS, undefined, { ref: false })]);
    },
  };
}

function fieldsOf(fields: string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) out[fields[i]!] = fields[i + 1]!;
  return out;
}

function endHint(event: Record<string, string>): EndHint | undefined {
  if (event.event === 'completed')
    return { event: 'completed', result: JSON.parse(event.returnvalue ?? 'null') };
  if (event.event === 'failed') return { event: 'failed', reason: event.failedReason ?? 'unknown error' };
  if (event.event === 'removed') return { event: 'removed' };
  return undefined;
}
