import { indexKeysByShard, type JobFilter, setsFor } from '../../shared/job-index/keys.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { pairsOf } from '../../shared/redis/pairs.js';
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
  const keysOf = indexKeysByShard(keyspace);
  const scripts = scriptsOf(redis, apiScripts);

  async function readShard(shard: number, request: PageRequest): Promise<ShardPage> {
    const keys = keysOf(shard);
    const { names, tags, from, to, after, limit } = request;
    const { byName, byTag } = setsFor(keys.sets, request);
    const [createdAt, id, ...found] = (await scripts.indexPage(
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
    const jobs = pairsOf(found).map(([id, createdAt]) => ({ createdAt: Number(createdAt), id }));
    return { jobs, next: id === '' ? undefined : { createdAt: Number(createdAt), id } };
  }

  return async (request) => {
    const pages = await Promise.all(keyspace.shards.all.map((shard) => readShard(shard, request)));
    const { jobs, next } = pages.length === 1 && pages[0] ? pages[0] : mergePages(pages, request.limit);
    return { ids: jobs.map(({ id }) => id), next };
  };
}

/** A page of the index of one shard. */
interface ShardPage {
  jobs: IndexPosition[];
  /** The last job that was examined; `undefined` if there are no more. */
  next: IndexPosition | undefined;
}

/** Compares positions in the order of the list: the newest job first, jobs of the same time by the bytes of their ids. */
const byPosition = (a: IndexPosition, b: IndexPosition): number =>
  b.createdAt - a.createdAt || (a.id > b.id ? -1 : a.id < b.id ? 1 : 0);

/** Merges the pages of several shards into one page that a position continues in all of them. */
function mergePages(pages: readonly ShardPage[], limit: number): ShardPage {
  // A shard may have more jobs right after the last one that it has examined: what is older in the others comes later.
  const [end] = pages.flatMap(({ next }) => next ?? []).sort(byPosition);
  const known = pages
    .flatMap(({ jobs }) => jobs)
    .filter((job) => end === undefined || byPosition(job, end) <= 0)
    .sort(byPosition);
  const jobs = known.slice(0, limit);
  return { jobs, next: known.length > limit ? jobs.at(-1) : (end ?? undefined) };
}

/** Returns the newest `createdAt` of the page, as an argument of ZRANGEBYSCORE. */
function newest(to: number | undefined, after: IndexPosition | undefined): string | number {
  if (after && (to === undefined || after.createdAt < to)) return after.createdAt;
  return to === undefined ? '+inf' : `(${to}`;
}
