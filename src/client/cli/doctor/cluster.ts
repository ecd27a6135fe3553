import type { Cluster, Redis } from 'ioredis';
import { allNodes, isCluster, mastersOf, nodeName, type RedisClient } from '../../../shared/redis/client.js';
import { type Finding, ok, problem, warning } from './finding.js';
import { parseInfo } from './info.js';

/** Checks the state of a Cluster and the replicas of each master. Empty for one server. */
export async function checkCluster(redis: RedisClient): Promise<Finding[]> {
  if (!isCluster(redis)) return [];
  const [node] = allNodes(redis);
  const state = parseInfo(String(await node?.cluster('INFO')));
  return [judgeCluster(state, mastersOf(redis).size), await checkReplicasOf(redis)];
}

/** Judges the answer to `CLUSTER INFO`. */
export function judgeCluster(state: Map<string, string>, masters: number): Finding {
  const check = 'redis cluster';
  const number = (name: string): number => Number(state.get(name) ?? 0);
  const found = `${masters} masters, ${number('cluster_known_nodes')} nodes, ${number('cluster_slots_ok')} of 16384 slots served`;
  if (state.get('cluster_state') !== 'ok') {
    return problem(
      check,
      `${found}, state ${state.get('cluster_state')}`,
      'Start the missing masters, or let their replicas take over: redis-cli --cluster check.',
    );
  }
  return masters < 3
    ? warning(check, found, 'A replica takes over only with a majority of the masters: run three or more.')
    : ok(check, found);
}

/** Checks that each master has a replica that could replace it. */
async function checkReplicasOf(cluster: Cluster): Promise<Finding> {
  const counts = await Promise.all(
    allNodes(cluster).map(async (node): Promise<[string, number]> => {
      const info = parseInfo(await node.info('replication'));
      return [nodeName(node), Number(info.get('connected_slaves') ?? 0)];
    }),
  );
  return judgeReplicas(counts);
}

/** Judges how many replicas each master has. */
export function judgeReplicas(counts: ReadonlyArray<readonly [master: string, replicas: number]>): Finding {
  const check = 'redis replicas';
  const without = counts.filter(([, replicas]) => replicas === 0).map(([master]) => master);
  if (without.length > 0) {
    return problem(
      check,
      `none of ${without.join(', ')}: no node takes over when it fails`,
      'Add a replica to each master: redis-cli --cluster add-node --cluster-slave.',
    );
  }
  return ok(check, counts.map(([master, replicas]) => `${replicas} of ${master}`).join(', '));
}

/**
 * Makes the same checks of each server, and returns the worst finding of each.
 * @param check makes them of one server
 */
export async function ofEachNode(
  redis: RedisClient,
  check: (node: Redis) => Promise<Finding[]>,
): Promise<Finding[]> {
  const worst = new Map<string, Finding>();
  for (const node of allNodes(redis)) {
    for (const finding of await check(node)) {
      const other = worst.get(finding.check);
      if (other && !isWorse(finding, other)) continue;
      const where = isCluster(redis) && finding.level !== 'ok' ? `${nodeName(node)}: ` : '';
      worst.set(finding.check, { ...finding, found: where + finding.found });
    }
  }
  return [...worst.values()];
}

const LEVELS = ['ok', 'skipped', 'warning', 'problem'];
const isWorse = (one: Finding, other: Finding): boolean =>
  LEVELS.indexOf(one.level) > LEVELS.indexOf(other.level);
