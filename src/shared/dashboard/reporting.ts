import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import { createPublisher, type Publisher } from '../channel/publisher.js';
import type { JobSnapshot } from '../lifecycle/snapshot.js';
import type { Logger } from '../process/log.js';
import type { Service } from '../process/service.js';
import { VERSION } from '../process/version.js';
import { serverNow } from '../redis/server-clock.js';
import { CHANGED_EVENT, JOBS_EVENT, packJobs } from './frame.js';
import { DASHBOARD_CHANNEL, internalPrefix } from './keys.js';
import { createProcessPresence } from './presence.js';
import type { RunningJobs } from './running.js';
import type { ProcessView } from './views.js';

/** While somebody looks, at most one frame of each kind in this many ms. */
const FRAME_MS = 500;
const BEAT_MS = 1000;
const REFRESH_BEATS = 10;
/** A notice that names more owners than that is for all. */
const MAX_OWNERS = 100;
const LOG_LENGTH = 10;
const CHANNEL_TTL_MS = 3_600_000;

export interface ProcessReportingOptions {
  redis: Redis;
  /** The connection on which is published. */
  publishing: Redis;
  prefix: string;
  sharded: boolean;
  role: ProcessView['role'];
  /** What this kind of process says beside what every one does. */
  describe: () => Partial<ProcessView>;
  /** What it runs, for a worker. */
  jobs?: RunningJobs;
  log: Logger;
}

/** What a process says for the dashboard: once a second how it is; what it does only while somebody looks. */
export interface ProcessReporting extends Service {
  /** How it is now. */
  view(): ProcessView;
  /**
   * Jobs have changed their state (as far as it is known, these): whoever looks has to look at the index of jobs again.
   * For who follows the queues.
   */
  changed(jobs: Array<Pick<JobSnapshot, 'settings'> | undefined>): void;
}

export function startProcessReporting(options: ProcessReportingOptions): ProcessReporting {
  const { redis, publishing, prefix, sharded, role, describe, jobs, log } = options;
  const id = `${role}:${randomUUID()}`;
  const startedAt = serverNow();
  const presence = createProcessPresence(redis, prefix);
  const publisher: Publisher = createPublisher({
    redis: publishing,
    prefix: internalPrefix(prefix),
    logLength: LOG_LENGTH,
    ttlMs: CHANNEL_TTL_MS,
    sharded,
  });
  let watched = false;
  let stopped = false;
  let beating = false;
  let beats = 0;
  let sending = false;
  let owners = new Set<string>();
  let all = false;

  function view(): ProcessView {
    const { rss, heapUsed } = process.memoryUsage();
    const common = { id, role, host: hostname(), pid: process.pid, version: VERSION, startedAt };
    return { ...common, rssBytes: rss, heapBytes: heapUsed, ...describe() };
  }

  async function beat(): Promise<void> {
    // While Redis is away one beat waits, not one a second.
    if (beating || stopped) return;
    beating = true;
    try {
      const before = watched;
      watched = await presence.beat(view());
      // Who begins to look has to hear of what does not change, too, and the slot must not expire.
      // What has changed before somebody looked was told to nobody.
      if (watched && !before) all = true;
      if (jobs && (!before || ++beats % REFRESH_BEATS === 0)) jobs.changed = true;
    } finally {
      beating = false;
    }
  }

  const publish = (event: string, key: string, data: unknown): Promise<unknown> =>
    publisher.publish(DASHBOARD_CHANNEL, { event, kind: 'state', key, data });

  async function send(): Promise<void> {
    if (!watched || sending || stopped) return;
    sending = true;
    try {
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
    } finally {
      sending = false;
    }
  }

  const safely = (what: () => Promise<void>) => (): void => {
    what().catch((error) => log.debug({ err: error }, 'could not report to the dashboard'));
  };
  const beatTimer = setInterval(safely(beat), BEAT_MS);
  const frameTimer = setInterval(safely(send), FRAME_MS);
  // Not in this turn: a pipeline of ioredis does not know commands that are defined after it was begun.
  setImmediate(safely(beat));
  // It may have lost what it was told.
  const onReady = (): void => {
    if (jobs) jobs.changed = true;
  };
  redis.on('ready', onReady);

  return {
    view,
    changed(changedJobs) {
      if (!watched || all) return;
      // Nothing is known of a job that is gone, nor of what a pause changes.
      if (changedJobs.length === 0 || changedJobs.includes(undefined)) all = true;
      for (const job of changedJobs) owners.add(job?.settings.owner ?? '');
      if (owners.size > MAX_OWNERS) all = true;
    },
    async stop() {
      stopped = true;
      clearInterval(beatTimer);
      clearInterval(frameTimer);
      redis.off('ready', onReady);
      // While Redis is away its commands wait: then the others notice by themselves.
      if (redis.status === 'ready') await presence.leave(id).catch(() => {});
    },
  };
}
