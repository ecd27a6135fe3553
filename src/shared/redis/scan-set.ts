import type { Cluster, Redis } from 'ioredis';

const AT_ONCE = 500;

/** Reads all members of a set, some hundreds with each command. Members that come or go meanwhile may be missing. */
export async function scanSet(redis: Redis | Cluster, key: string): Promise<string[]> {
  const members = new Set<string>();
  let cursor = '0';
  do {
    const [next, found] = await redis.sscan(key, cursor, 'COUNT', AT_ONCE);
    for (const member of found) members.add(member);
    cursor = next;
  } while (cursor !== '0');
  return [...members];
}
