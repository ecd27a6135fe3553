import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { createPublisher, type Publisher } from '../channel/publisher.js';
import type { Keyspace } from '../keyspace.js';
import type { JobSnapshot } from '../lifecycle/snapshot.js';
import { every } from '../process/every.js';
import type { Logger } from '../process/log.js';
import type { Service } from '../process/service.js';
import { VERSION } from '../process/version.js';
import type { RedisClient } from '../redis/client.js';
import { serverNow } from '../redis/server-clock.js';
import { CHANGED_EVENT, JOBS_EVENT, packJobs } from './frame.js';
import { DASHBOARD_CHANNEL, internalKeyspace } from './keys.js';
import { createProcessPresence } from './presence.js';
import type { RunningJobs } from './running.js';
import type { ProcessView } from './views.js';

/** The minimum time between two frames of a kind while a dashboard is open, in ms. */
const FRAME_MS = 500;
const BEAT_MS = 1000;
const REFRESH_BEATS = 10;
/** The maximum number of owners in a notice. With more owners, the notice is for all. */
const MAX_OWNERS = 100;
const LOG_LENGTH = 10;
const CHANNEL_TTL_MS = 3_600_000;

export interface ProcessReportingOptions {
  redis: RedisClient;
  /** The connection for publishing. */
  publishing: RedisClient;
  keyspace: Keyspace;
  sharded: boolean;
  role: ProcessView['role'];
  /** Returns the fields of the heartbeat that are specific to this kind of process. */
  describe: () => Partial<ProcessView>;
  /** For workers: the running jobs. */
  jobs?: RunningJobs;
  log: Logger;
}

/** Reports a process to the dashboard: a heartbeat once a second; its running jobs only while a dashboard is open. */
export interface ProcessReporting extends Service {
  /** Returns the current heartbeat. */
  view(): ProcessView;
  /** Reports from now on that this process was asked to stop. */
  leave(): void;
  /** Returns whether another process with the same role is running and was not asked to stop. */
  hasPeer(): Promise<boolean>;
  /**
   * Notifies open dashboards that jobs have changed their state, so that they read the job index again. Called by the queue
   * follower.
   * @param jobs the jobs; `undefined` for an unknown job
   */
  changed(jobs: Array<Pick<JobSnapshot, 'settings'> | undefined>): void;
}

export function startProcessReporting(options: ProcessReportingOptions): ProcessReporting {
  const { redis, publishing, keyspace, sharded, role, describe, jobs, log } = options;
  const id = `${role}:${randomUUID()}`;
  const startedAt = serverNow();
  const presence = createProcessPresence(redis, keyspace);
  const publisher: Publisher = createPublisher({
    redis: publishing,
    keyspace: internalKeyspace(keyspace),
    logLength: LOG_LENGTH,
    ttlMs: CHANNEL_TTL_MS,
    sharded,
  });
  let watched = false;
  let beatCount = 0;
  let owners = new Set<string>();
  let all = false;
  let stopping = false;

  function view(): ProcessView {
    const { rss, heapUsed } = process.memoryUsage();
    const common = { id, role, host: hostname(), pid: process.pid, version: VERSION, startedAt };
    return {
      ...common,
      rssBytes: rss,
      heapBytes: heapUsed,
      ...(stopping ? { stopping } : {}),
      ...(keyspace.shards.placed > 1 ? { placed: keyspace.shards.placed } : {}),
      ...describe(),
    };
  }

  async function beat(): Promise<void> {
    const before = watched;
    watched = await presence.beat(view());
    // A newly opened dashboard needs all jobs, because earlier changes were not published. The slot must not expire.
    if (watched && !before) all = true;
    if (jobs && (!before || ++beatCount % REFRESH_BEATS === 0)) jobs.changed = true;
  }

  const publish = (event: string, key: string, data: unknown): Promise<unknown> =>
    publisher.publish(DASHBOARD_CHANNEL, { event, kind: 'state', key, data });

  async function send(): Promise<void> {
    if (!watched) return;
    if (all || owners.size > 0) {
      const data = { owners: all ? [] : [...owners], all };
      owners = new Set();
      all = false;
      await publish(CHANGED_EVENT, CHANGED_EVENT, data);
    }
    if (jobs?.changed) {
      await publish(JOBS_EVENT, id, packJobs(id, jobs.read())).catch((error) => {
        jobs.changed = true;
        throw error;
      });
    }
  }

  const onError = (error: unknown): void => log.debug({ err: error }, 'could not report to the dashboard');
  // While Redis is away, a single heartbeat waits for it, not one a second.
  const beats = every(BEAT_MS, beat, onError);
  const frames = every(FRAME_MS, send, onError);
  // In the next turn, because `describe` uses objects that the caller creates after this call.
  setImmediate(() => void beats.run());
  // Redis may have lost the newest frame.
  const onReady = (): void => {
    if (jobs) jobs.changed = true;
  };
  redis.on('ready', onReady);

  return {
    view,
    leave() {
      stopping = true;
      void beats.run();
    },
    async hasPeer() {
      const others = redis.status === 'ready' ? await presence.all() : [];
      return others.some((other) => other.role === role && other.id !== id && !other.stopping);
    },
    changed(changedJobs) {
      if (!watched || all) return;
      // The owner of a removed job is unknown, and so are the jobs that a pause affects.
      if (changedJobs.length === 0 || changedJobs.includes(undefined)) all = true;
      for (const job of changedJobs) owners.add(job?.settings.owner ?? '');
      if (owners.size > MAX_OWNERS) all = true;
    },
    async stop() {
      // Not awaited: while Redis is away, a round does not end.
      void beats.stop();
      void frames.stop();
      redis.off('ready', onReady);
      // Commands wait while Redis is unavailable. The heartbeat then expires on its own.
      if (redis.status === 'ready') await presence.leave(id).catch(() => {});
    },
  };
}
