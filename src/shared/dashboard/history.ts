import { scopeOf } from '../job-index/keys.js';
import { parseForeign } from '../jobs/foreign-json.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { serverNow } from '../redis/server-clock.js';
import {
  type HistoryView,
  HOUR_MS,
  HOURS_KEPT,
  type HourCounts,
  type HourEntry,
  hourEntry,
  hourOf,
  RANGES,
  type Range,
} from './hours.js';
import { dashboardKeys } from './keys.js';
import { HOUR_MINUTES } from './minutes.js';

/** How often the current hour is rolled up, in ms. */
const EVERY_MS = 5 * 60_000;
/** How many hours before the current one are rolled up: their minutes are still kept. */
const EARLIER_HOURS = 2;
/** How long the history is kept without a process that rolls up, in ms. */
const KEEP_MS = (HOURS_KEPT + 24) * HOUR_MS;

/** The history of ended jobs by hour. */
export interface History {
  /** Rolls up the counters of minutes into hours, if it is time. Called by the leader. @throws the error of the connection */
  rollUp(): Promise<void>;
  /** Returns the history of all jobs. @param name only this kind of job; empty for all */
  read(range: Range, name: string): Promise<HistoryView>;
}

/** An hour in which no job of a kind ended. */
const NONE: HourCounts = [0, 0, 0, null, null, null, null];

export function createHistory(redis: RedisClient, keyspace: Keyspace): History {
  const keys = dashboardKeys(keyspace);
  let nextAt = Number.NEGATIVE_INFINITY;

  async function rollUpHour(hour: number): Promise<void> {
    const first = hour * HOUR_MINUTES;
    const minutes = await Promise.all(
      Array.from({ length: HOUR_MINUTES }, (_, i) =>
        redis.hgetall(keys.minute(scopeOf(undefined), first + i)),
      ),
    );
    const counted = minutes.filter((minute) => Object.keys(minute).length > 0);
    const entry = hourEntry(counted);
    const before = parseEntry((await redis.hget(keys.hours, String(hour))) ?? undefined);
    // Minutes that have expired or were lost must not remove what was counted.
    if (before && endsIn(entry) < endsIn(before)) return;
    await redis.hset(keys.hours, String(hour), JSON.stringify(entry));
  }

  async function removeOld(now: number): Promise<void> {
    const hours = await redis.hkeys(keys.hours);
    const old = hours.filter((hour) => !(Number(hour) > now - HOURS_KEPT));
    if (old.length > 0) await redis.hdel(keys.hours, ...old);
    await redis.pexpire(keys.hours, KEEP_MS);
  }

  return {
    async rollUp() {
      if (performance.now() < nextAt) return;
      const now = hourOf(serverNow());
      for (let hour = now - EARLIER_HOURS; hour <= now; hour++) {
        // An earlier hour in which no process led is a gap, not an hour without jobs.
        if (hour === now || (await hasMinutes(hour))) await rollUpHour(hour);
      }
      await removeOld(now);
      nextAt = performance.now() + EVERY_MS;
    },
    async read(range, name) {
      const at = serverNow();
      const now = hourOf(at);
      const hours = Array.from({ length: RANGES[range] }, (_, i) => now - RANGES[range] + 1 + i);
      const stored = await redis.hmget(keys.hours, ...hours.map(String));
      return {
        range,
        at,
        hours: hours.flatMap((hour, i): HistoryView['hours'] => {
          const entry = parseEntry(stored[i] ?? undefined);
          return entry ? [[hour, ...(countsIn(entry, name) ?? NONE)]] : [];
        }),
      };
    },
  };

  async function hasMinutes(hour: number): Promise<boolean> {
    const first = hour * HOUR_MINUTES;
    const all = Array.from({ length: HOUR_MINUTES }, (_, i) => keys.minute(scopeOf(undefined), first + i));
    return (await redis.exists(...all)) > 0;
  }
}

/** Returns the counts of a kind; `undefined` if none of its jobs ended, or the entry was not written by Headway. */
function countsIn(entry: HourEntry, name: string): HourCounts | undefined {
  const counts: unknown = Object.hasOwn(entry, name) ? entry[name] : undefined;
  return Array.isArray(counts) && counts.length === NONE.length ? (counts as HourCounts) : undefined;
}

const endsIn = ({ '': all }: HourEntry): number => (all ? all[0] + all[1] + all[2] : 0);

function parseEntry(json: string | undefined): HourEntry | undefined {
  const entry = parseForeign(json);
  return typeof entry === 'object' && entry !== null && !Array.isArray(entry)
    ? (entry as HourEntry)
    : undefined;
}
