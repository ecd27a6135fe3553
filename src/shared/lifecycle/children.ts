import { jobIdOf, requireAddress } from '../jobs/queues.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { scanSet } from '../redis/scan-set.js';
import type { Canceller } from './cancel.js';
import type { ReconcileObserver } from './observers.js';
import { isFinished, type SnapshotReader } from './snapshot.js';

/** Access to the children that BullMQ stores with a parent. */
export interface ChildRegister {
  /**
   * Returns the ids of the children that BullMQ still counts as pending: running, waiting, or removed before they ended.
   * Only children of `ctx.child` are returned: the children in a flow of another tool must not be cancelled.
   */
  pending(parentId: string): Promise<string[]>;
  /** Returns the result of a completed child, as JSON. It is kept as long as the parent, even if the child is removed. */
  result(parentId: string, childId: string): Promise<string | undefined>;
  /** Removes a child that has ended, or was removed, from the pending ones. BullMQ does not complete a parent with pending children. */
  removePending(parentId: string, childId: string): Promise<void>;
}

export function createChildRegister(
  redis: RedisClient,
  keyspace: Keyspace,
  readJob: SnapshotReader,
): ChildRegister {
  const keyOf = (jobId: string): string => {
    const { queue, id } = requireAddress(jobId);
    return keyspace.queueKey(queue, id);
  };
  return {
    async pending(parentId) {
      const keys = await scanSet(redis, `${keyOf(parentId)}:dependencies`);
      const ids = keys.flatMap((key) => {
        const { queue, suffix } = keyspace.parseQueueKey(key) ?? {};
        return queue !== undefined && suffix ? [jobIdOf({ queue, id: suffix })] : [];
      });
      const jobs = await Promise.all(ids.map((id) => readJob(id)));
      return ids.filter((_id, i) => !jobs[i] || jobs[i].settings.ancestors?.at(-1) === parentId);
    },
    async result(parentId, childId) {
      return (await redis.hget(`${keyOf(parentId)}:processed`, keyOf(childId))) ?? undefined;
    },
    async removePending(parentId, childId) {
      await redis.srem(`${keyOf(parentId)}:dependencies`, keyOf(childId));
    },
  };
}

/**
 * Cancels the pending children of a job that has ended. The observer also covers a worker that dies right after the end
 * of the parent: the next process that reconciles the parent cancels its children.
 */
export const childrenObserver = (register: ChildRegister, canceller: Canceller): ReconcileObserver => ({
  async afterReconcile(job) {
    if (!job.children?.pending || !isFinished(job)) return;
    await Promise.all((await register.pending(job.id)).map(canceller.cancel));
  },
});
