import { type ProcessReporting, startProcessReporting } from '../shared/dashboard/reporting.js';
import type { RunningJobs } from '../shared/dashboard/running.js';
import { cancelObserver } from '../shared/lifecycle/cancel.js';
import { every } from '../shared/process/every.js';
import type { Service } from '../shared/process/service.js';
import type { Connection } from '../shared/runtime/connection.js';
import { startHousekeeping } from '../shared/runtime/leader.js';
import type { Core } from './core.js';
import type { Lifecycle } from './open-lifecycle.js';
import type { ServedQueue } from './run/workers.js';

const SWEEP_MS = 10 * 60_000;

export function startReporting(
  { connection, log }: Core,
  queues: ServedQueue[],
  running: RunningJobs,
): ProcessReporting {
  const { redis } = connection;
  // The shards that this process serves from its start.
  const shards = connection.keyspace.shards.known;
  return startProcessReporting({
    redis,
    publishing: connection.publishing,
    keyspace: connection.keyspace,
    sharded: connection.server.sharded,
    role: 'worker',
    describe: () => ({ running: running.size, queues, ...(shards > 1 ? { shards } : {}) }),
    jobs: running,
    log,
  });
}

/** Sends pending statistics, unless Redis is unreachable: they are not worth waiting for. */
export async function flushIfReady(
  { redis }: Connection,
  statistics: { flush(): Promise<void> },
): Promise<void> {
  if (redis.status === 'ready') await statistics.flush();
}

export function openHousekeeping(
  core: Core,
  { schedules, expiry, canceller, reconciler, children }: Lifecycle,
  reporting: ProcessReporting,
): Service {
  return startHousekeeping({
    ...core,
    role: 'worker',
    reconciler,
    following: children.reconciler.with(cancelObserver(canceller)),
    onChanged: reporting.changed,
    schedules,
    expiry,
    canceller,
  });
}

/**
 * Removes expired files periodically. Of all processes, one at a time does so: it may have to list a whole bucket. What dead
 * processes have left on a machine is removed by each process.
 */
export function startSweeper({ connection, store, log }: Core): Service {
  const { redis, keyspace, isHeld } = connection;
  return every(
    SWEEP_MS,
    async () => {
      await store.tidy();
      // Expires before the next round of this process, which is then not refused by its own claim.
      const claimed = await redis.set(`${keyspace.prefix}:{files}:sweep`, '1', 'PX', SWEEP_MS * 0.9, 'NX');
      if (claimed) await store.sweep(isHeld);
    },
    (error) => log.warn({ err: error }, 'could not remove expired files'),
  );
}
