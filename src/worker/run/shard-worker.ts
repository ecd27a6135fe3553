import type { BackendFactory, Job, Processor, RedisQueueBackend, WorkerOptions } from 'bullmq';
import type { RedisClient } from '../../shared/redis/client.js';
import type { Permits } from './permits.js';
import { SteadyWorker } from './steady-worker.js';

/** What the workers of a queue's shards share. */
export interface ShardWorkerOptions extends WorkerOptions {
  permits: Permits;
  /** Whether the rate limit must be checked before each job. */
  askForEach: boolean;
}

/**
 * A BullMQ worker for one of several shards of a queue. It takes a job only when the process has a permit for it, so that no
 * job is active that does not run. When a job ends, its permit is for the shard that has waited longest.
 */
export class ShardWorker extends SteadyWorker {
  private readonly permits: Permits;
  private readonly askForEach: boolean;
  /** The tokens of the jobs that have a permit. A job that BullMQ takes together with the end of another has its token. */
  private readonly holding = new Set<string>();
  private readonly stopWaiting = new AbortController();

  constructor(
    name: string,
    processor: Processor,
    { permits, askForEach, ...options }: ShardWorkerOptions,
    backend: BackendFactory<RedisQueueBackend>,
  ) {
    super(name, processor, options, backend);
    this.permits = permits;
    this.askForEach = askForEach;
  }

  override close(force?: boolean): Promise<void> {
    this.stopWaiting.abort();
    return super.close(force);
  }

  override async processJob(job: Job, token: string, fetchNext = () => true): Promise<Job | undefined> {
    const mayFetch = (): boolean => !this.askForEach && fetchNext() && !this.permits.isWantedByOthers(this);
    let next: Job | undefined;
    try {
      next = (await super.processJob(job, token, mayFetch)) ?? undefined;
      return next;
    } finally {
      if (!next) this.release(token);
    }
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    const isNew = !this.holding.has(token);
    if (isNew && !(this.permits.tryTake() || (await this.waitForPermit())))
      return undefined as unknown as Job;
    this.holding.add(token);
    let job: Job | undefined;
    try {
      job = await super.moveToActive(token, name);
      return job as Job;
    } finally {
      if (isNew && !job) this.release(token);
    }
  }

  private release(token: string): void {
    if (this.holding.delete(token)) this.permits.release();
  }

  private async waitForPermit(): Promise<boolean> {
    const loop = this as unknown as { waiting: Promise<unknown> | null };
    const taken = this.permits.take(this, this.stopWaiting.signal);
    // As while it waits for a job, BullMQ's loop then goes on with the jobs that it has.
    loop.waiting ??= taken;
    // BullMQ wakes one worker for a job. Another process may have a permit for this one.
    (this.opts.connection as RedisClient).zadd(this.toKey('marker'), 0, '0').catch(() => {});
    try {
      return await taken;
    } finally {
      if (loop.waiting === taken) loop.waiting = null;
    }
  }
}
