import type { Processor, Worker, WorkerOptions } from 'bullmq';
import { WORKER_NAME } from '../../shared/bullmq/worker-census.js';
import type { JobDefinition } from '../../shared/jobs/definition.js';
import type { QueuePlan } from '../../shared/jobs/queues.js';
import type { Registry } from '../../shared/jobs/registry.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { Config } from '../../shared/process/config.js';
import { availableCores } from '../../shared/process/cores.js';
import { processCount } from '../../shared/process/process-settings.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { serverTimedBackend } from '../../shared/runtime/bullmq-backend.js';
import { repeatStrategy } from '../../shared/schedules/cron.js';
import { inShard } from '../../shared/shards.js';
import { StartError } from '../../shared/start-error.js';
import { Permits } from './permits.js';
import { ShardWorker } from './shard-worker.js';
import { RateOrder, withSharedRate } from './shared-rate.js';
import { SteadyWorker } from './steady-worker.js';

/** A queue that a process serves. */
export interface ServedQueue {
  name: string;
  /** How many of its jobs run at a time in this process. */
  concurrency: number;
}

/**
 * The queues that a process serves: those of the job types in `WORKER_JOBS`, or all that no other program serves.
 * @throws StartError for an unknown job type, or if only some job types of a queue are named
 */
export function queuesToServe(plan: QueuePlan, registry: Registry, config: Config): ServedQueue[] {
  return namesToServe(plan, registry, config.WORKER_JOBS).map((name) => ({
    name,
    concurrency: concurrencyOf(plan.kindsIn(name), config),
  }));
}

function namesToServe(plan: QueuePlan, registry: Registry, workerJobs: string): string[] {
  const wanted = workerJobs.split(',').flatMap((name) => name.trim() || []);
  if (wanted.length === 0) {
    return plan.names.filter((queue) => plan.kindsIn(queue).some(({ external }) => !external));
  }
  const unknown = wanted.find((name) => !registry.has(name));
  if (unknown) {
    throw new StartError(
      `WORKER_JOBS: unknown job type "${unknown}". Known job types: ${[...registry.keys()].join(', ')}`,
    );
  }
  const elsewhere = wanted.find((name) => registry.get(name)?.external);
  if (elsewhere) {
    throw new StartError(`WORKER_JOBS: "${elsewhere}" is run by a worker of another program`);
  }
  const queues = [...new Set(wanted.map(plan.of))];
  for (const queue of queues) {
    const others = plan.kindsIn(queue).filter(({ name }) => !wanted.includes(name));
    if (others.length > 0) {
      throw new StartError(
        `WORKER_JOBS: the queue "${queue}" also contains ${others.map(({ name }) => name).join(', ')}. List all job types of the queue, or use separate queues`,
      );
    }
  }
  return queues;
}

/** The limits of a queue are those of its only job type: see `planQueues`. */
function concurrencyOf(kinds: JobDefinition[], config: Config): number {
  const concurrency = kinds[0]?.concurrency ?? config.WORKER_CONCURRENCY;
  // A job that would only wait for a thread here is left to other processes.
  const threaded = kinds.length > 0 && kinds.every(({ thread }) => thread);
  return threaded ? Math.min(concurrency, threadCount(config)) : concurrency;
}

/**
 * Number of threads of a process for jobs with `thread: true`. Defaults to the number of CPU cores, which the processes of one
 * supervisor share.
 */
export const threadCount = ({
  WORKER_THREADS,
  WORKER_PROCESSES,
}: Pick<Config, 'WORKER_THREADS' | 'WORKER_PROCESSES'>): number =>
  WORKER_THREADS || Math.max(1, Math.floor(availableCores() / processCount(WORKER_PROCESSES)));

export interface WorkersOptions {
  config: Config;
  /** A connection with the role `bullmq`. */
  connection: RedisClient;
  /** A connection that knows the scripts of a worker. */
  redis: RedisClient;
  keyspace: Keyspace;
  plan: QueuePlan;
  queues: ServedQueue[];
  processor: Processor;
}

/**
 * Creates a BullMQ worker for each queue that this process serves, in each shard that may have jobs. The workers of a queue
 * share its concurrency and its rate limit.
 */
export function createWorkers(options: WorkersOptions): Worker[] {
  const { config, connection, redis, keyspace, plan, queues, processor } = options;
  const shards = keyspace.shards.all;
  return queues.flatMap(({ name, concurrency }) => {
    const { max, perMs } = plan.kindsIn(name)[0]?.rateLimit ?? {};
    const limit = max === undefined || perMs === undefined ? undefined : { max, perMs };
    const permits = new Permits(concurrency);
    const order = new RateOrder();
    return shards.map((shard) => {
      const options: WorkerOptions = {
        connection,
        prefix: keyspace.prefixOf(shard),
        name: WORKER_NAME,
        settings: { repeatStrategy },
        concurrency,
        // Seconds that one call waits for a job; a dead connection is noticed after that time.
        drainDelay: 2,
        // BullMQ waits out a rate limit by the system clock. This limits the wait if the clock is set back.
        maximumRateLimitDelay: 5000,
        lockDuration: config.LOCK_DURATION_MS,
        stalledInterval: config.STALLED_INTERVAL_MS,
        // `suspects.ts` enforces MAX_STALLS, because not every lost worker counts against a job.
        maxStalledCount: Number.MAX_SAFE_INTEGER,
      };
      if (shards.length === 1) {
        const limiter = limit && { limiter: { max: limit.max, duration: limit.perMs } };
        return new SteadyWorker(name, processor, { ...options, ...limiter }, serverTimedBackend);
      }
      const queue = inShard(name, shard);
      return new ShardWorker(
        name,
        processor,
        { ...options, permits, askForEach: limit !== undefined },
        limit
          ? withSharedRate(serverTimedBackend, { redis, keyspace, queue, order, ...limit })
          : serverTimedBackend,
      );
    });
  });
}
