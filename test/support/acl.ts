import { execFileSync } from 'node:child_process';
import type { Redis } from 'ioredis';
import { createKeyspace } from '../../src/shared/keyspace.js';
import { userRules } from '../../src/shared/permissions/needs.js';
import { ON_CLUSTER, REDIS_PROGRAM } from './redis.js';

const version = execFileSync(REDIS_PROGRAM, ['--version'], { encoding: 'utf8' });
/** Whether the server of the tests has sharded Pub/Sub, and tells scripts about permissions: from Redis 7. */
export const IS_REDIS_7 = Number(/v=(\d+)/.exec(version)?.[1]) >= 7;

/** The rules of a user that may do what Headway needs, and nothing else. */
export const RULES = userRules(createKeyspace('headway'), { sharded: IS_REDIS_7, isCluster: ON_CLUSTER });

export const USER = 'headway';
export const PASSWORD = 'of-the-user-of-redis';

/** Arguments for redis-server that add this user. */
export const USER_ARGUMENTS = ['--user', USER, 'on', `>${PASSWORD}`, ...RULES];

/** Returns what Redis has refused the user since the last call, each as `command xadd` or `key …`. */
export async function refusedCalls(admin: Redis): Promise<string[]> {
  const log = (await admin.call('ACL', 'LOG', '1000')) as string[][];
  await admin.call('ACL', 'LOG', 'RESET');
  const field = (entry: string[], name: string): string => String(entry[entry.indexOf(name) + 1]);
  return log
    .filter((entry) => field(entry, 'username') === USER)
    .map((entry) => `${field(entry, 'reason')} ${field(entry, 'object')}`);
}
