import { everyChannelKey, jobChannel } from '../channel/keys.js';
import type { FileStore } from '../files/store.js';
import { addressOf } from '../jobs/queues.js';
import type { RetentionTimes } from '../jobs/retention-times.js';
import type { Keyspace } from '../keyspace.js';
import { createJobFaults, type JobFaults } from '../lifecycle/job-faults.js';
import type { Reconciler } from '../lifecycle/reconcile.js';
import { createSnapshotReader } from '../lifecycle/snapshot.js';
import { singleFlight } from '../process/every.js';
import type { Logger } from '../process/log.js';
import type { RedisClient } from '../redis/client.js';
import { pairsOf } from '../redis/pairs.js';
import { scriptsOf } from '../redis/scripts.js';
import { serverNow } from '../redis/server-clock.js';
import { createHeldFiles } from './held-files.js';
import { indexKeys } from './keys.js';
import { madeFiles } from './made-files.js';
import { jobIndexScripts } from './scripts.js';

const AT_ONCE = 200;
const RETRY_MS = 60_000;

export interface JobRetentionOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  keep: RetentionTimes;
  reconciler: Reconciler;
  store: Pick<FileStore, 'remove'>;
  /** The shard whose jobs are removed. Defaults to 0. */
  shard?: number;
  faults?: JobFaults;
  log: Logger;
}

/** Removes the finished jobs of a shard when their retention time is over. */
export interface JobRetention {
  /** Removes the jobs that are due: BullMQ's job, its entry in the index, its channel and its result files. */
  sweep(): Promise<void>;
}

/**
 * Creates the retention of a process. A job is removed in two steps, so that the next sweep can finish what a dead process
 * has begun. First, a script removes everything in one Redis slot and records the rest as leftovers. Then the leftovers are
 * removed, and finally their record.
 */
export function createJobRetention(options: JobRetentionOptions): JobRetention {
  const { redis, keyspace, keep, reconciler, store, log, faults = createJobFaults(log) } = options;
  const isHeld = createHeldFiles({ redis, keyspace, readJob: createSnapshotReader(redis, keyspace) });
  const keys = indexKeys(keyspace, options.shard);
  const scripts = scriptsOf(redis, jobIndexScripts);

  async function forget(jobId: string): Promise<void> {
    const address = addressOf(jobId);
    if (!address) return void (await redis.zrem(keys.due, jobId));
    const { queue, id } = address;
    // The end of the job must be published before the job is removed.
    await reconciler.reconcile(jobId);
    const key = (suffix: string): string => keyspace.queueKey(queue, suffix);
    const { finishedOn, files } = await madeFiles(redis, key(id));
    await scripts.forgetJob(
      keys.records,
      keys.due,
      keys.gone(jobId),
      keys.leftovers,
      key(id),
      key('completed'),
      key('failed'),
      jobId,
      keys.sets,
      ...keep.args,
      id,
      serverNow(),
      finishedOn,
      files.join(' '),
    );
  }

  /** Postpones a job that cannot be removed, so that it does not block the others. */
  async function postpone(jobId: string): Promise<void> {
    await redis.zadd(keys.due, 'XX', serverNow() + RETRY_MS, jobId);
  }

  async function clear(jobId: string, left: string): Promise<void> {
    const [finishedOn, ...files] = left.split(' ');
    await Promise.all(
      files.map(async (id) => {
        // A file that another job uses is removed later, when its own lifetime is over.
        if (!(await isHeld(id))) await store.remove(id, Number(finishedOn));
      }),
    );
    await redis.unlink(...everyChannelKey(keyspace, jobChannel(jobId)));
    await redis.hdel(keys.leftovers, jobId);
  }

  async function clearAll(): Promise<void> {
    let cursor = '0';
    do {
      const [next, found] = await redis.hscan(keys.leftovers, cursor, 'COUNT', AT_ONCE);
      const leftovers = new Map(pairsOf(found));
      // A job that cannot be removed is retried at the next sweep.
      await faults.each('remove the leftovers of', [...leftovers.keys()], (jobId) =>
        clear(jobId, leftovers.get(jobId) ?? ''),
      );
      cursor = next;
    } while (cursor !== '0');
  }

  async function sweep(): Promise<void> {
    await clearAll();
    for (;;) {
      const due = await redis.zrangebyscore(keys.due, '-inf', serverNow(), 'LIMIT', 0, AT_ONCE);
      if (due.length === 0) return;
      await faults.each('remove', due, forget, postpone);
      await clearAll();
    }
  }

  // A sweep may take longer than the interval between calls.
  return { sweep: singleFlight(sweep) };
}
