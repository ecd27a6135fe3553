import { indexKeys, type JobFilter, setsFor } from '../../shared/job-index/keys.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { apiScripts } from './scripts.js';

/** A position in the index: between this job and the next older one. */
export interface IndexPosition {
  createdAt: number;
  id: string;
}

export interface PageRequest extends JobFilter {
  /** Only jobs created at or after this time, in ms since 1970. */
  from?: number | undefined;
  /** Only jobs created before this time, in ms since 1970. */
  to?: number | undefined;
  after?: IndexPosition | undefined;
  limit: number;
}

export interface IndexPage {
  ids: string[];
  /** Where the next page begins; `undefined` on the last page. A page that is not full may have a next one. */
  next: IndexPosition | undefined;
}

/** Reads pages of the index, newest job first. */
export type PageReader = (request: PageRequest) => Promise<IndexPage>;

/** Maximum number of steps of one page. They take a few milliseconds, during which Redis does nothing else. */
const STEPS = 5000;

/** @param steps see page.lua */
export function createPageReader(redis: RedisClient, keyspace: Keyspace, steps: number = STEPS): PageReader {
  const keys = indexKeys(keyspace);
  const scripts = scriptsOf(redis, apiScripts);
  return async (request) => {
    const { names, tags, from, to, after, limit } = request;
    const { byName, byTag } = setsFor(keys.sets, request);
    const [createdAt, id, ...ids] = (await scripts.indexPage(
      keys.records,
      newest(to, after),
      from ?? '-inf',
      // A position after `to` has no effect.
      after && (to === undefined || after.createdAt < to) ? after.id : '',
      limit,
      steps,
      JSON.stringify(names),
      JSON.stringify(tags),
      byName.length,
      ...byName,
      ...byTag,
    )) as [string, string, ...string[]];
    return { ids, next: id === '' ? undefined : { createdAt: Number(createdAt), id } };
  };
}

/** Returns the newest `createdAt` of the page, as an argument of ZRANGEBYSCORE. */
function newest(to: number | undefined, after: IndexPosition | undefined): string | number {
  if (after && (to === undefined || after.createdAt < to)) return after.createdAt;
  return to === undefined ? '+inf' : `(${to}`;
}
