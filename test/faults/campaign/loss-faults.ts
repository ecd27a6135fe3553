import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.js';
import { type Network, startNetwork } from './network.js';
import { startRedisNode } from './redis-node.js';
import type { Service } from './service.js';

/** A fault after which Redis has lost data that it had acknowledged. */
export interface LossFault {
  kind: string;
  /** @returns the target, and the time from which data may be lost */
  run(service: Service, ms: number): Promise<{ target: string; losesFrom: number }>;
}

let count = 0;

/** Kills Redis and restarts it on a copy of its file that is some seconds old. */
const olderCopy: LossFault = {
  kind: 'redis-older-copy',
  async run({ redis, folder }, ms) {
    const copy = join(folder, `copy-${++count}`);
    const losesFrom = Date.now();
    await redis.copyFiles(copy);
    await sleep(ms);
    await redis.end('SIGKILL');
    redis.putFiles(copy);
    await redis.start();
    rmSync(copy, { recursive: true, force: true });
    return { target: 'redis', losesFrom };
  },
};

/** The lag of the replica, in ms. */
const LAG_MS = 1000;

/** Kills Redis and promotes a replica that is a second behind. */
const laggingReplica: LossFault = {
  kind: 'redis-lagging-replica',
  async run(service, ms) {
    const old = service.redis;
    const way: Network = await startNetwork(() => [old.port]);
    const replica = await startRedisNode(join(service.folder, `replica-${++count}`));
    try {
      await replica.admin.replicaof('127.0.0.1', way.port);
      await until('the replica is up to date', async () =>
        (await replica.admin.info('replication')).includes('master_link_status:up'),
      );
      way.delay('answers', LAG_MS);
      await sleep(Math.max(ms, LAG_MS + 500));
      const losesFrom = Date.now() - LAG_MS - 500;
      await old.end('SIGKILL');
      await way.stop();
      await replica.admin.replicaof('NO', 'ONE');
      service.moveTo(replica);
      await old.remove();
      return { target: 'redis', losesFrom };
    } catch (error) {
      await way.stop().catch(() => {});
      await replica.remove();
      throw error;
    }
  },
};

export const LOSS_FAULTS: readonly LossFault[] = [olderCopy, laggingReplica];
