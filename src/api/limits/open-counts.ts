import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Keyspace } from '../../shared/keyspace.js';
import { every } from '../../shared/process/every.js';
import type { Logger } from '../../shared/process/log.js';
import type { Service } from '../../shared/process/service.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { limitScripts } from './scripts.js';

/** How often a process publishes its counts, in ms. */
const SHARE_MS = 1000;
/** How long they count without being published again, in ms. */
const VALID_MS = 5000;
/** The smallest count that is published: most callers have one stream. */
const MIN_SHARED = 2;
/** Maximum number of counts that are published: the largest ones. */
const MAX_SHARED = 1000;

/**
 * How much of each thing is open: in this process, at this moment, and in the other processes, as of a second ago. Counting
 * needs no round trip, so it may be part of opening a stream. While Redis does not answer, each process counts for itself.
 */
export interface OpenCounts extends Service {
  /** How many are open in all processes. */
  of(name: string): number;
  add(name: string): void;
  remove(name: string): void;
}

export function startOpenCounts(redis: Redis, keyspace: Keyspace, log: Logger): OpenCounts {
  const key = `${keyspace.prefix}:{limits}:open`;
  const scripts = scriptsOf(redis, limitScripts);
  const id = randomUUID();
  const own = new Map<string, number>();
  let others = new Map<string, number>();
  let readAt = Number.NEGATIVE_INFINITY;
  let published = false;

  const share = (counts: string): Promise<string[]> => scripts.shareOpen(1, key, id, counts, VALID_MS);

  const sharing = every(
    SHARE_MS,
    async () => {
      // A process without streams and uploads costs nothing.
      if (own.size === 0 && !published) return;
      published = own.size > 0;
      others = sumOf(await share(published ? JSON.stringify(Object.fromEntries(largest(own))) : ''));
      readAt = performance.now();
    },
    (error) => log.debug({ err: error }, 'could not share what is open with the other processes'),
  );

  return {
    of(name) {
      const elsewhere = performance.now() - readAt < VALID_MS ? (others.get(name) ?? 0) : 0;
      return (own.get(name) ?? 0) + elsewhere;
    },
    add(name) {
      own.set(name, (own.get(name) ?? 0) + 1);
    },
    remove(name) {
      const left = (own.get(name) ?? 0) - 1;
      if (left > 0) own.set(name, left);
      else own.delete(name);
    },
    async stop() {
      // Not awaited: while Redis is away, a round does not end.
      void sharing.stop();
      if (published && redis.status === 'ready') await share('').catch(() => {});
    },
  };
}

function largest(counts: Map<string, number>): Array<[string, number]> {
  const shared = [...counts].filter(([, count]) => count >= MIN_SHARED);
  if (shared.length <= MAX_SHARED) return shared;
  return shared.sort(([, a], [, b]) => b - a).slice(0, MAX_SHARED);
}

function sumOf(entries: string[]): Map<string, number> {
  const sum = new Map<string, number>();
  for (const entry of entries) {
    for (const [name, count] of Object.entries(JSON.parse(entry) as Record<string, number>)) {
      sum.set(name, (sum.get(name) ?? 0) + count);
    }
  }
  return sum;
}
