import { randomUUID } from 'node:crypto';
import type { Keyspace } from '../../shared/keyspace.js';
import { every } from '../../shared/process/every.js';
import type { Logger } from '../../shared/process/log.js';
import type { Service } from '../../shared/process/service.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { type Recent, RecentCounts } from './recent-counts.js';
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
 * How much of each thing is open, and how often it was opened lately: in this process, at this moment, and in the other processes, as of a second ago. Counting
 * needs no round trip, so it may be part of opening a stream. While Redis does not answer, each process counts for itself.
 */
export interface OpenCounts extends Service {
  /** How many are open in all processes. */
  of(name: string): number;
  add(name: string): void;
  remove(name: string): void;
  /** How often something was noted in all processes, in the last two minutes. */
  recent(name: string): Recent;
  /** Notes that something has happened. @param max the limit on it */
  note(name: string, max: number): void;
}

export function startOpenCounts(redis: RedisClient, keyspace: Keyspace, log: Logger): OpenCounts {
  const key = `${keyspace.prefix}:{limits}:open`;
  const scripts = scriptsOf(redis, limitScripts);
  const id = randomUUID();
  const own = new Map<string, number>();
  const lately = new RecentCounts();
  let others = new Map<string, number>();
  let readAt = Number.NEGATIVE_INFINITY;
  let published = false;

  const share = (counts: string): Promise<string[]> => scripts.shareOpen(1, key, id, counts, VALID_MS);

  const sharing = every(
    SHARE_MS,
    async () => {
      const recent = lately.entries(serverNow());
      const hasCounts = own.size > 0 || recent.length > 0;
      // A process without streams and uploads costs nothing.
      if (!hasCounts && !published) return;
      published = hasCounts;
      const counts = Object.fromEntries([...largest(own), ...recent]);
      others = sumOf(await share(published ? JSON.stringify(counts) : ''));
      readAt = performance.now();
    },
    (error) => log.debug({ err: error }, 'could not share what is open with the other processes'),
  );

  const elsewhere = (name: string): number =>
    performance.now() - readAt < VALID_MS ? (others.get(name) ?? 0) : 0;

  return {
    of: (name) => (own.get(name) ?? 0) + elsewhere(name),
    recent: (name) => lately.of(name, elsewhere, serverNow()),
    note: (name, max) => lately.add(name, max, serverNow()),
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
