import { scopeOf } from '../job-index/keys.js';
import type { JobSettings } from '../jobs/settings.js';
import { isTerminal } from '../jobs/states.js';
import type { Keyspace } from '../keyspace.js';
import type { Transition } from '../lifecycle/events.js';
import { RANK } from '../lifecycle/published.js';
import type { JobSnapshot } from '../lifecycle/snapshot.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { serverNow } from '../redis/server-clock.js';
import { bucketOf } from './histogram.js';
import { dashboardKeys } from './keys.js';
import { counters, HOUR_MINUTES, MINUTE_MS, MINUTES_SHOWN, minuteOf } from './minutes.js';
import { dashboardScripts } from './scripts.js';

const FLUSH_MS = 1000;
/** How long a minute of one owner is kept, in ms. */
const KEEP_MS = (MINUTES_SHOWN + 5) * MINUTE_MS;
/** How long a minute of all owners is kept, in ms: long enough for the history, even if no process led for a while. */
const KEEP_ALL_MS = (3 * HOUR_MINUTES + 5) * MINUTE_MS;
const MAX_NAME = 100;
/** The maximum number of counters in one command. */
const AT_ONCE = 500;

/**
 * Counts the jobs that end, with their wait and run times, by minute, kind and owner. Each change of a job's state is
 * published by one process, which counts it. Counters are sent to Redis once a second, so the last second is lost when a
 * process is killed.
 */
export interface OutcomeCounter {
  /** Counts a published transition; the counter is an observer of the reconciler. */
  afterPublish(transition: Transition, job: JobSnapshot | undefined): void;
  /** Sends the counters to Redis. Never rejects: if Redis is unavailable, the counters are kept and sent later. */
  flush(): Promise<void>;
}

export function createOutcomeCounter(redis: RedisClient, keyspace: Keyspace): OutcomeCounter {
  const keys = dashboardKeys(keyspace);
  const scripts = scriptsOf(redis, dashboardScripts);
  /** The pending counts: key of a minute -> counter -> number. */
  let counted = new Map<string, Map<string, number>>();
  let timer: NodeJS.Timeout | undefined;

  const all = keys.minute(scopeOf(undefined), 0).slice(0, -1);
  const lifetimeOf = (key: string): number => (key.startsWith(all) ? KEEP_ALL_MS : KEEP_MS);

  /** The scope of the owner of the last job: the counters of one job follow one another. */
  let last: { owner: string; scope: string } | undefined;

  function scopesOf({ owner }: JobSettings): string[] {
    if (owner === undefined) return [scopeOf(undefined)];
    if (last?.owner !== owner) last = { owner, scope: scopeOf(owner) };
    return [scopeOf(undefined), last.scope];
  }

  function add(job: JobSnapshot, counter: string): void {
    const minute = minuteOf(serverNow());
    for (const scope of scopesOf(job.settings)) addTo(keys.minute(scope, minute), counter, 1);
    timer ??= setTimeout(() => void flush(), FLUSH_MS).unref();
  }

  function addTo(key: string, counter: string, count: number): void {
    const minute = counted.get(key) ?? new Map<string, number>();
    minute.set(counter, (minute.get(counter) ?? 0) + count);
    counted.set(key, minute);
  }

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const sending = [...counted].flatMap(([key, minute]) =>
      Array.from(minute, ([counter, count]) => ({ key, counter, count })),
    );
    counted = new Map();
    await Promise.all(
      parts(sending).map((part) => {
        const keys = [...new Set(part.map(({ key }) => key))];
        const places = new Map(keys.map((key, i) => [key, i + 1]));
        const counts = part.flatMap(({ key, counter, count }) => [places.get(key) ?? 0, counter, count]);
        return scripts.countMinutes(keys.length, ...keys, ...keys.map(lifetimeOf), ...counts).catch(() => {
          for (const { key, counter, count } of part) addTo(key, counter, count);
          timer ??= setTimeout(() => void flush(), FLUSH_MS).unref();
        });
      }),
    );
  }

  return {
    afterPublish({ event, fence }, job) {
      if (!job || fence.rank === undefined) return;
      const name = job.name.slice(0, MAX_NAME);
      if (fence.rank === RANK.active && fence.attempt === 1 && job.attempt === 1 && job.startedAt) {
        const waited = job.startedAt - job.createdAt - (job.delayMs ?? 0);
        add(job, counters.wait(bucketOf(Math.max(0, waited)), name));
      }
      if (!isTerminal(event.event) || !event.end) return;
      add(job, counters.outcome(event.event, name));
      if (job.startedAt && job.finishedAt && job.attempt > 0) {
        add(job, counters.run(bucketOf(Math.max(0, job.finishedAt - job.startedAt)), name));
      }
    },
    flush,
  };
}

const parts = <T>(all: T[]): T[][] =>
  Array.from({ length: Math.ceil(all.length / AT_ONCE) }, (_, i) =>
    all.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
  );
