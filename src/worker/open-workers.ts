import type { Job, Worker } from 'bullmq';
import { jobIdOf } from '../shared/jobs/queues.js';
import { watchControl } from '../shared/redis/broadcast.js';
import { isRedisFault } from '../shared/redis/faults.js';
import { queueIn } from '../shared/shards.js';
import type { Core } from './core.js';
import type { Lifecycle } from './open-lifecycle.js';
import { lockLost } from './run/bullmq-job.js';
import type { JobProcessor } from './run/processor.js';
import { type ActiveRuns, cancelled } from './run/run.js';
import { createWorkers, type ServedQueue } from './run/workers.js';

/** BullMQ's error for a lock that it could not renew. */
const NOT_RENEWED = /^could not renew lock for job (.+)$/s;

/** The BullMQ workers. From here on jobs are taken. */
export function openWorkers(
  { config, connection, plan, bullmqRedis, log }: Core,
  { children }: Lifecycle,
  queues: ServedQueue[],
  { process: processor, runs, begun }: JobProcessor,
): Worker[] {
  const workers = createWorkers({
    config,
    connection: bullmqRedis,
    redis: connection.redis,
    keyspace: connection.keyspace,
    plan,
    queues,
    processor,
  });
  for (const worker of workers) {
    const queue = queueIn(worker);
    const jobIdIn = (id: string): string => jobIdOf({ queue, id });
    /** Whether an error is about the lock of a job that has just ended here, or is being handed back. Nothing is wrong then. */
    const isOver = ({ message }: Error): boolean => {
      const id = NOT_RENEWED.exec(message)?.[1];
      const run = id === undefined ? undefined : runs.get(jobIdIn(id));
      return id !== undefined && (run === undefined || run.isHandedBack);
    };
    worker.on('error', (error) => {
      // While Redis is away, each queue has an error a second. The outage has a line of its own.
      const isOutage = connection.redis.status !== 'ready' && isRedisFault(error);
      const level = isOutage || isOver(error) ? 'debug' : 'error';
      log[level]({ err: error }, 'a BullMQ worker reported an error');
    });
    worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) runs.get(jobIdIn(id))?.lose(lockLost());
    });
    // The queue follower also publishes the end, but later.
    const publishEnd = (job: Job | undefined): void => {
      if (job?.id === undefined) return;
      children.reconciler
        .reconcile(jobIdIn(job.id), undefined, undefined, undefined, begun.get(job))
        .catch((error) => log.warn({ err: error, id: job.id }, 'could not publish the end of a job'));
    };
    worker.on('completed', publishEnd);
    worker.on('failed', publishEnd);
  }
  return workers;
}

/** Stops a run when its job is cancelled. */
export function watchCancels({ connection, commandsRedis, log }: Core, runs: ActiveRuns): void {
  watchControl({
    redis: commandsRedis,
    keyspace: connection.keyspace,
    verb: 'cancel',
    onMessage: (jobId) => runs.get(jobId)?.stop(cancelled()),
    async onGap() {
      await connection.faults.each('look at', [...runs.keys()], async (jobId) => {
        if ((await connection.readJob(jobId))?.cancelAsked) runs.get(jobId)?.stop(cancelled());
      });
    },
    log,
  });
}
