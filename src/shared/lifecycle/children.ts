import type { Cluster, Redis } from 'ioredis';
import { addressOf, type JobAddress, jobIdOf, queueKey } from '../jobs/queues.js';
import { scanSet } from '../redis/scan-set.js';
import type { Canceller } from './cancel.js';
import type { ReconcileObserver } from './observers.js';
import { isFinished, type SnapshotReader } from './snapshot.js';

/** The children that BullMQ keeps for a job. */
export interface ChildRegister {
  /**
   * The ids of the children that `ctx.child` started and that have not ended, or are not there any more. Those of a
   * flow that another tool made are not ours to end.
   */
  pending(parentId: string): Promise<string[]>;
  /** The result that a child completed with, as JSON. It outlives the child, as long as the parent is kept. */
  result(parentId: string, childId: string): Promise<string | undefined>;
  /** Takes a child that has ended or is gone out of those that have not: BullMQ completes no parent before that. */
  strike(parentId: string, childId: string): Promise<void>;
}

export function createChildRegister(
  redis: Redis | Cluster,
  queuePrefix: string,
  readJob: SnapshotReader,
): ChildRegister {
  const keyOf = (jobId: string): string => {
    const { queue, id } = addressOf(jobId)!;
    return queueKey(queuePrefix, queue, id);
  };
  return {
    async pending(parentId) {
      const keys = await scanSet(redis, `${keyOf(parentId)}:dependencies`);
      const ids = keys.flatMap((key) => {
        const address = addressIn(key, queuePrefix);
        return address ? [jobIdOf(address)] : [];
      });
      const jobs = await Promise.all(ids.map((id) => readJob(id)));
      return ids.filter((_id, i) => !jobs[i] || jobs[i].settings.ancestors?.at(-1) === parentId);
    },
    async result(parentId, childId) {
      return (await redis.hget(`${keyOf(parentId)}:processed`, keyOf(childId))) ?? undefined;
    },
    async strike(parentId, childId) {
      await redis.srem(`${keyOf(parentId)}:dependencies`, keyOf(childId));
    },
  };
}

/** The opposite of `queueKey`; `undefined` for a key under another prefix. */
function addressIn(key: string, prefix: string): JobAddress | undefined {
  if (!key.startsWith(`${prefix}:`)) return undefined;
  const [queue, ...id] = key.slice(prefix.length + 1).split(':');
  return { queue: queue!, id: id.join(':') };
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
