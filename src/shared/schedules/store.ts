import { createHash } from 'node:crypto';
import { parseForeign } from '../jobs/foreign-json.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { pairsOf } from '../redis/pairs.js';
import { scanSet } from '../redis/scan-set.js';
import { scriptsOf } from '../redis/scripts.js';
import type { Schedule } from './schedule.js';
import { scheduleScripts } from './scripts.js';

const RUNS_KEPT = 20;
const BATCH = 100;

/** The runs of a schedule that have started, or were cancelled when they were due. */
export interface RunCounts {
  count: number;
  /** The due time of the newest run, ms since 1970. */
  lastDue: number | undefined;
}

/** Stores schedules in Redis. */
export interface ScheduleStore {
  /** Reads a schedule. A deleted one is returned for a while, with `deletedAt`. */
  read(id: string): Promise<Schedule | undefined>;
  /**
   * Stores a new version of a schedule, if its `version` is one more than the stored one, and marks the schedule as pending.
   * @param max a new schedule is not stored if this many count with it: those of its owner, or of its `origin`; 0 for any
   * @returns `changed` if another version is stored, `full` if there are too many, or the id of another schedule with the same
   *   key
   */
  save(schedule: Schedule, max?: number): Promise<'saved' | 'changed' | 'full' | { id: string }>;
  /** Marks a version as synced with BullMQ. Returns false if there is a newer version. */
  markSynced(schedule: Schedule): Promise<boolean>;
  /** Returns the ids of the schedules that are not synced with BullMQ yet. */
  pending(): Promise<string[]>;
  /** Counts a run. Idempotent. @returns whether the run was not counted before */
  countRun(id: string, dueAt: number): Promise<boolean>;
  runs(id: string): Promise<RunCounts>;
  /** Returns the schedule with a key, if the owner has one. */
  byKey(owner: string, key: string): Promise<Schedule | undefined>;
  /**
   * Returns a page of schedules, the newest first.
   * @param owner `undefined` for all owners
   * @param after `next` of the previous page
   */
  page(owner: string | undefined, limit: number, after?: string): Promise<SchedulePage>;
  /**
   * Iterates over all schedules, including deleted ones, in any order.
   * @param onBroken called with the id of an unreadable schedule
   */
  all(onBroken?: (id: string) => void): AsyncGenerator<Schedule>;
  /** Removes a deleted schedule for good. */
  drop(id: string): Promise<void>;
}

export interface SchedulePage {
  schedules: Schedule[];
  /** The position of the next page; absent on the last page. */
  next?: string;
}

export function createScheduleStore(redis: RedisClient, keyspace: Keyspace): ScheduleStore {
  const key = (name: string): string => `${keyspace.prefix}:{schedules}:${name}`;
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
    async save(schedule, max = 0) {
      const ofCaller = ofOwner(schedule.owner);
      const answer = await scripts.scheduleSave(
        definitions,
        everybody,
        ofCaller,
        keys,
        pending,
        schedule.origin === undefined ? ofCaller : key(`from:${schedule.origin}`),
        schedule.id,
        schedule.version - 1,
        schedule.version,
        JSON.stringify(schedule),
        positionOf(schedule),
        schedule.key === undefined ? '' : keyDigest(schedule.owner, schedule.key),
        schedule.deletedAt === undefined ? '' : '1',
        max,
      );
      return answer === 'saved' || answer === 'changed' || answer === 'full' ? answer : { id: answer };
    },
    async markSynced({ id, version }) {
      return (await scripts.scheduleMarkSynced(definitions, pending, id, version)) === 1;
    },
    pending: () => scanSet(redis, pending),
    async countRun(id, dueAt) {
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
      const positions = await redis.zrevrangebylex(
        owner === undefined ? everybody : ofOwner(owner),
        after === undefined ? '+' : `(${after}`,
        '-',
        'LIMIT',
        0,
        limit + 1,
      );
      const shown = positions.slice(0, limit);
      const found = shown.length > 0 ? await redis.hmget(definitions, ...shown.map(idIn)) : [];
      const next = positions.length > limit ? shown.at(-1) : undefined;
      return {
        schedules: found.flatMap((text) => parse(text) ?? []),
        ...(next === undefined ? {} : { next }),
      };
    },
    async *all(onBroken) {
      let cursor = '0';
      do {
        const [next, found] = await redis.hscan(definitions, cursor, 'COUNT', BATCH);
        for (const [id, text] of pairsOf(found)) {
          const schedule = parse(text);
          if (schedule) yield schedule;
          else onBroken?.(id);
        }
        cursor = next;
      } while (cursor !== '0');
    },
    async drop(id) {
      // The definition is removed last, so that the next leader finds the rest if this process dies in between.
      await redis.del(key(`runs:${id}`));
      await redis.hdel(counts, id);
      await redis.srem(pending, id);
      await redis.hdel(definitions, id);
    },
  };
}

/** Parses a stored schedule; `undefined` for anything else. */
function parse(text: string | null | undefined): Schedule | undefined {
  if (!text) return undefined;
  const value = parseForeign(text.slice(text.indexOf(' ') + 1)) as Partial<Schedule> | undefined;
  const { id, name, queue } = value ?? {};
  const isSchedule = [id, name, queue].every((field) => typeof field === 'string');
  return isSchedule ? (value as Schedule) : undefined;
}

/** Returns the position of a schedule in the lists, which are sorted by creation time. */
const positionOf = ({ createdAt, id }: Schedule): string => `${String(createdAt).padStart(15, '0')} ${id}`;

const idIn = (place: string): string => place.slice(place.indexOf(' ') + 1);

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

const keyDigest = (owner: string, key: string): string => sha256(`${owner} ${key}`);
