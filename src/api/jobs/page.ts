import type { Cluster, Redis } from 'ioredis';
import { indexKeys, type JobFilter, setsFor } from '../../shared/job-index/keys.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { apiScripts } from './scripts.js';

/** A place between two jobs of the index: just after (older than) this one. */
export interface IndexPosition {
  createdAt: number;
  id: string;
}

export interface PageRequest extends JobFilter {
  /** Not before, and before, ms since 1970. */
  from?: number | undefined;
  to?: number | undefined;
  after?: IndexPosition | undefined;
  limit: number;
}

export interface IndexPage {
  ids: string[];
  /** Where the next page begins; without, there are no more. A page may be short and have one. */
  next: IndexPosition | undefined;
}

/** Reads pages of the index, newest job first. */
export type PageReader = (request: PageRequest) => Promise<IndexPage>;

/** Steps of one page at most: Redis does nothing else meanwhile. These are a few milliseconds. */
const STEPS = 5000;

/** @param steps see page.lua */
export function createPageReader(
  redis: Redis | Cluster,
  queuePrefix: string,
  steps: number = STEPS,
): PageReader {
  const keys = indexKeys(queuePrefix);
  const scripts = scriptsOf(redis, apiScripts);
  return async (request) => {
    const { names, tags, from, to, after, limit } = request;
    const { byName, byTag } = setsFor(keys.sets, request);
    const [createdAt, id, ...ids] = (await scripts.indexPage(
      keys.records,
      newest(to, after),
      from ?? '-inf',
      // With a `to` before the position's time, the position says nothing.
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

/** The newest `createdAt` to give, as ZRANGEBYSCORE takes it. */
function newest(to: number | undefined, after: IndexPosition | undefined): string | number {
  if (after && (to === undefined || after.createdAt < to)) return after.createdAt;
  return to === undefined ? '+inf' : `(${to}`;
}
