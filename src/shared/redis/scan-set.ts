import type { Cluster, Redis } from 'ioredis';

const BATCH = 500;

/** Returns all members of a set, read in batches. Members that are added or removed meanwhile may be missing. */
export async function scanSet(redis: Redis | Cluster, key: string): Promise<string[]> {
  const members = new Set<string>();
  let cursor = '0';
  do {
    const [next, found] = await redis.sscan(key, cursor, 'COUNT', BATCH);
    for (const member of found) members.add(member);
    cursor = next;
  } while (cursor !== '0');
  return [...members];
}
