import { createHash } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import { parseForeign } from '../jobs/foreign-json.js';
import { scanSet } from '../redis/scan-set.js';
import { scriptsOf } from '../redis/scripts.js';
import type { Schedule } from './schedule.js';
import { scheduleScripts } from './scripts.js';

const RUNS_KEPT = 20;
const BATCH = 100;

/** The runs of a schedule that have begun (or were withdrawn when they were due). */
export interface RunCounts {
  count: number;
  /** When the newest was due, ms since 1970. */
  lastDue: number | undefined;
}

/** Keeps schedules in Redis. */
export interface ScheduleStore {
  /** A deleted one is there for a while, with `deletedAt`. */
  read(id: string): Promise<Schedule | undefined>;
  /**
   * Keeps a schedule whose `version` is one more than that of the one it replaces, and notes that BullMQ has yet to be
   * told of it.
   * @returns `changed` when that is not the present one, or the id of another that has the same key
   */
  save(schedule: Schedule): Promise<'saved' | 'changed' | { id: string }>;
  /** Notes that BullMQ agrees with this version; false when there is a newer one. */
  markSynced(schedule: Schedule): Promise<boolean>;
  /** The ids of those that BullMQ has yet to be told of. */
  pending(): Promise<string[]>;
  /** Counts a run, once. @returns whether it is new */
  ran(id: string, dueAt: number): Promise<boolean>;
  runs(id: string): Promise<RunCounts>;
  /** The schedule of this key, if its owner has one. */
  byKey(owner: string, key: string): Promise<Schedule | undefined>;
  /**
   * The newest first.
   * @param owner whose; `undefined`: everybody's
   * @param after the place after which to go on
   */
  page(owner: string | undefined, limit: number, after?: string): Promise<SchedulePage>;
  /**
   * Every one, deleted ones too, in any order.
   * @param onBroken hears of what is no schedule
   */
  all(onBroken?: (id: string) => void): AsyncGenerator<Schedule>;
  /** Removes what is left of a deleted one. */
  drop(id: string): Promise<void>;
}

export interface SchedulePage {
  schedules: Schedule[];
  /** Where the next page goes on; absent on the last one. */
  next?: string;
}

export function createScheduleStore(redis: Redis | Cluster, prefix: string): ScheduleStore {
  const key = (name: string): string => `${prefix}:{schedules}:${name}`;
  const [definitions, everybody, keys, pending, counts] = [
    'definitions',
    'all',
    'keys',
    'pending',
    'counts',
  ].map(key) as [string, string, string, string, string];
  const ofOwner = (owner: string): string => key(`of:${sha256(owner)}`);
  const scripts = scriptsOf(redis, scheduleScripts);

  const read = async (id: string): Promise<Schedule | undefined> => parse(await redis.hget(definitions, id));

  return {
    read,
    async save(schedule) {
      const answer = await scripts.scheduleSave(
        definitions,
        everybody,
        ofOwner(schedule.owner),
        keys,
        pending,
        schedule.id,
        schedule.version - 1,
        schedule.version,
        JSON.stringify(schedule),
        placeOf(schedule),
        schedule.key === undefined ? '' : keyDigest(schedule.owner, schedule.key),
        schedule.deletedAt === undefined ? '' : '1',
      );
      return answer === 'saved' || answer === 'changed' ? answer : { id: answer };
    },
    async markSynced({ id, version }) {
      return (await scripts.scheduleMarkSynced(definitions, pending, id, version)) === 1;
    },
    pending: () => scanSet(redis, pending),
    async ran(id, dueAt) {
      return (
        (await scripts.scheduleCountRun(definitions, key(`runs:${id}`), counts, id, dueAt, RUNS_KEPT)) === 1
      );
    },
    async runs(id) {
      const [count, [last]] = await Promise.all([
        redis.hget(counts, id),
        redis.zrange(key(`runs:${id}`), -1, '-1'),
      ]);
      return { count: Number(count ?? 0), lastDue: last === undefined ? undefined : Number(last) };
    },
    async byKey(owner, name) {
      const id = await redis.hget(keys, keyDigest(owner, name));
      return id === null ? undefined : read(id);
    },
    async page(owner, limit, after) {
      const places = await redis.zrevrangebylex(
        owner === undefined ? everybody : ofOwner(owner),
        after === undefined ? '+' : `(${after}`,
        '-',
        'LIMIT',
        0,
        limit + 1,
      );
      const shown = places.slice(0, limit);
      const found = shown.length > 0 ? await redis.hmget(definitions, ...shown.map(idAt)) : [];
      return {
        schedules: found.flatMap((text) => parse(text) ?? []),
        ...(places.length > limit ? { next: shown.at(-1)! } : {}),
      };
    },
    async *all(onBroken) {
      let cursor = '0';
      do {
        const [next, pairs] = await redis.hscan(definitions, cursor, 'COUNT', BATCH);
        for (let i = 1; i < pairs.length; i += 2) {
          const schedule = parse(pairs[i]);
          if (schedule) yield schedule;
          else onBroken?.(pairs[i - 1]!);
        }
        cursor = next;
      } while (cursor !== '0');
    },
    async drop(id) {
      // The definition last: whoever dies in between leaves it to the next one.
      await redis.del(key(`runs:${id}`));
      await redis.hdel(counts, id);
      await redis.srem(pending, id);
      await redis.hdel(definitions, id);
    },
  };
}

/** `undefined` for what is no schedule. */
function parse(text: string | null | undefined): Schedule | undefined {
  if (!text) return undefined;
  const value = parseForeign(text.slice(text.indexOf(' ') + 1)) as Partial<Schedule> | undefined;
  const { id, name, queue } = value ?? {};
  const isSchedule = [id, name, queue].every((field) => typeof field === 'string');
  return isSchedule ? (value as Schedule) : undefined;
}

/** Sorts as the time does at which it was made. */
const placeOf = ({ createdAt, id }: Schedule): string => `${String(createdAt).padStart(15, '0')} ${id}`;

const idAt = (place: string): string => place.slice(place.indexOf(' ') + 1);

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

const keyDigest = (owner: string, key: string): string => sha256(`${owner} ${key}`);
