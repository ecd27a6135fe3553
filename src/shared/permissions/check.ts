import type { Redis } from 'ioredis';
import type { Keyspace } from '../keyspace.js';
import { allNodes, isCluster, nodeName, type RedisClient } from '../redis/client.js';
import { type NeededCall, neededCalls, patterns } from './needs.js';
import { deniedCallsLua } from './scripts.js';

/** The permissions that the user of a connection lacks, in words such as `keys headway:*` and `command xadd`. */
export interface MissingPermissions {
  needed: string[];
  /** Those that Headway can do without. */
  optional: string[];
}

/**
 * Finds the permissions that the user of a connection lacks. In a Cluster, each master has users of its own: a permission that
 * some of them give is followed by the names of the others. Redis before 7 cannot tell: nothing is missing then.
 */
export async function findMissingPermissions(
  redis: RedisClient,
  keyspace: Keyspace,
): Promise<MissingPermissions> {
  const calls = neededCalls(keyspace, isCluster(redis));
  const nodes = allNodes(redis);
  const found = await Promise.all(nodes.map((node) => findMissing(node, keyspace, calls)));
  const merge = (kind: keyof MissingPermissions): string[] =>
    [...new Set(found.flatMap((missing) => missing[kind]))].map((permission) => {
      const without = nodes.filter((_, i) => found[i]?.[kind].includes(permission));
      return without.length === nodes.length
        ? permission
        : `${permission} on ${without.map(nodeName).join(' and ')}`;
    });
  return { needed: merge('needed'), optional: merge('optional') };
}

async function findMissing(
  node: Redis,
  keyspace: Keyspace,
  calls: NeededCall[],
): Promise<MissingPermissions> {
  const words = calls.map((call) => call.words.join(' '));
  const positions = (await node.eval(deniedCallsLua, 0, ...words)) as number[];
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
