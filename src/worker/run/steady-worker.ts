import { type Job, LockManager, type LockManagerWorkerContext, Worker } from 'bullmq';
import type { RedisClient } from '../../shared/redis/client.js';

/**
 * Renews the locks of all jobs of a worker at regular intervals. BullMQ's own lock manager compares times of the system
 * clock: if that is set back, it renews no lock until the clock has caught up, and the jobs count as stalled.
 */
class SteadyLockManager extends LockManager {
  private renewal: NodeJS.Timeout | undefined;
  private renewing = false;

  override start(): void {
    if (this.closed) return;
    // The same interval as in BullMQ.
    this.renewal = setInterval(() => void this.renew(), this.opts.lockRenewTime / 2);
  }

  override isRunning(): boolean {
    return !this.closed && this.renewal !== undefined;
  }

  override close(): Promise<void> {
    clearInterval(this.renewal);
    this.renewal = undefined;
    return super.close();
  }

  private async renew(): Promise<void> {
    const ids = this.getTrackedJobIds();
    // While Redis is unreachable, only one call waits.
    if (ids.length === 0 || this.renewing) return;
    this.renewing = true;
    try {
      // Reports errors as events of the worker.
      await this.extendLocks(ids);
    } finally {
      this.renewing = false;
    }
  }
}

/** A BullMQ worker whose lock renewal does not depend on the system clock, and that takes no job while it is being closed. */
export class SteadyWorker extends Worker {
  /**
   * BullMQ takes a job whose arrival ended the wait for work, even if the worker is being closed. Here the job stays in its
   * queue, and another worker that waits is woken for it.
   */
  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    if (!this.closing) return super.moveToActive(token, name);
    await (this.opts.connection as RedisClient).zadd(this.toKey('marker'), 0, '0');
    return undefined as unknown as Job;
  }

  protected override createLockManager(): void {
    const { lockDuration = 30_000, lockRenewTime = lockDuration / 2, name } = this.opts;
    this.lockManager = new SteadyLockManager(this as unknown as LockManagerWorkerContext, {
      lockRenewTime,
      lockDuration,
      workerId: this.id,
      ...(name === undefined ? {} : { workerName: name }),
    });
  }
}
