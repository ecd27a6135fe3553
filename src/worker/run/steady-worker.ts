import { LockManager, type LockManagerWorkerContext, Worker } from 'bullmq';

/**
 * Renews the locks of all jobs of a worker at even intervals. BullMQ's own manager compares times by the process's clock: when
 * that is put back, it renews nothing until it has caught up, and the jobs are taken for stalled.
 */
class SteadyLockManager extends LockManager {
  private renewal: NodeJS.Timeout | undefined;
  private renewing = false;

  override start(): void {
    if (this.closed) return;
    // As often as BullMQ does.
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
    // While Redis is away one call waits.
    if (ids.length === 0 || this.renewing) return;
    this.renewing = true;
    try {
      // It reports its errors as events of the worker.
      await this.extendLocks(ids);
    } finally {
      this.renewing = false;
    }
  }
}

/** BullMQ's worker, whose locks do not depend on the clock of its machine. */
export class SteadyWorker extends Worker {
  protected override createLockManager(): void {
    const { lockRenewTime, lockDuration, name } = this.opts;
    this.lockManager = new SteadyLockManager(this as unknown as LockManagerWorkerContext, {
      lockRenewTime: lockRenewTime!,
      lockDuration: lockDuration!,
      workerId: this.id,
      ...(name === undefined ? {} : { workerName: name }),
    });
  }
}
