import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { neededCalls, patterns } from './needs.js';
import { permissionScripts } from './scripts.js';

/** The permissions that the user of a connection lacks, in words such as `keys headway:*` and `command xadd`. */
export interface MissingPermissions {
  needed: string[];
  /** Those that Headway can do without. */
  optional: string[];
}

/** Finds the permissions that the user of a connection lacks. Redis before 7 cannot tell: nothing is missing then. */
export async function findMissingPermissions(
  redis: RedisClient,
  keyspace: Keyspace,
): Promise<MissingPermissions> {
  const calls = neededCalls(keyspace, redis.isCluster);
  const positions = await scriptsOf(redis, permissionScripts).deniedCalls(
    ...calls.map(({ words }) => words.join(' ')),
  );
  const denied = new Set(positions.flatMap((position) => calls[position - 1] ?? []));
  const needed: string[] = [];
  for (const { pattern, example } of patterns(keyspace)) {
    const users = calls.filter(({ words }) => words.includes(example));
    // If a single command is missing, the others with such a key are allowed.
    if (users.length === 0 || !users.every((call) => denied.has(call))) continue;
    needed.push(pattern);
    for (const call of users) denied.delete(call);
  }
  const commands = (isOptional: boolean): string[] => [
    ...new Set(
      [...denied].filter((call) => call.isOptional === isOptional).map((call) => `command ${call.command}`),
    ),
  ];
  return { needed: [...needed, ...commands(false)], optional: commands(true) };
}
