import { Job, type JobsOptions } from 'bullmq';
import { everyChannelKey, jobChannel } from '../channel/keys.js';
import type { Publication, Publisher } from '../channel/publisher.js';
import type { NewJobIndexer } from '../job-index/new-jobs.js';
import type { JobDefinition } from '../jobs/definition.js';
import { type JobOptions, queueOptions } from '../jobs/options.js';
import { type OpenQueue, requireAddress } from '../jobs/queues.js';
import type { JobState } from '../jobs/states.js';
import type { Keyspace } from '../keyspace.js';
import { accepted } from '../lifecycle/events.js';
import type { Expiry } from '../lifecycle/expiry.js';
import { jobsQueued } from '../metrics/job-metrics.js';
import { oncePerTurn } from '../process/once-per-turn.js';
import { isCluster, type RedisClient } from '../redis/client.js';
import { serverNow } from '../redis/server-clock.js';
import { untilTaken } from '../redis/until-taken.js';
import { queueNameOf } from '../shards.js';
import { type SendSpan, telemetryOption, tracing } from '../tracing/tracing.js';
import type { Webhook, WebhookStore } from '../webhooks/store.js';

/** A job to enqueue. Its data and options are valid. */
export interface NewJob {
  /** From `newJobId`, or another id with the name of the job's queue as its prefix. */
  id: string;
  definition: JobDefinition;
  data: unknown;
  options: JobOptions;
  /** The owner of the job. */
  owner?: string | undefined;
  /** The id of the request that the job goes back to. */
  requestId?: string | undefined;
  /** The ids of its ancestors, from the root to the parent. */
  ancestors?: string[];
  /** Further options for BullMQ. */
  bullmq?: JobsOptions;
}

/** An enqueued job. */
export interface Enqueued {
  /** The job's id: that of another job if BullMQ found this one to be a duplicate. */
  id: string;
  /** The state of a new job; `undefined` for a job that was there before, or without `EnqueueOptions.indexNew`. */
  state: JobState | undefined;
}

/** Enqueues a job. Resolves when Redis has stored it. A second call with the same id does nothing. */
export type Enqueue = (job: NewJob) => Promise<Enqueued>;

export interface EnqueueOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  openQueue: OpenQueue;
  publisher: Publisher;
  expiry: Expiry;
  webhooks: WebhookStore;
  /** Adds the job to the index. Absent in a worker, where the start of the run does it. */
  indexNew?: NewJobIndexer;
  /**
   * Whether the jobs of one turn of the event loop, of a batch or of several requests, take one round trip. Redis processes
   * commands in the order in which they are sent. Otherwise a job is queued when its first event has been published.
   */
  oneTurn: boolean;
}

export function createEnqueue(options: EnqueueOptions): Enqueue {
  const { redis, keyspace, openQueue, publisher, expiry, webhooks, indexNew, oneTurn } = options;

  /** Removes everything that was written under an unused id. */
  async function forget(id: string): Promise<void> {
    await Promise.all([
      redis.unlink(...everyChannelKey(keyspace, jobChannel(id))),
      expiry.remove(id),
      webhooks.remove(id),
    ]);
  }

  /**
   * Adds a job as BullMQ's `Queue.add` does, but sends the command in this turn of the event loop.
   * @returns the id of the job, or of the one that it duplicates
   */
  async function add(id: string, name: string, data: unknown, opts: JobsOptions): Promise<string> {
    const queue = openQueue(requireAddress(id).queue);
    const client = await queue.backend.client;
    const job = new Job(queue, name, data, opts, id);
    const parent = job.parentKey
      ? { parentKey: job.parentKey, parentDependenciesKey: `${job.parentKey}:dependencies` }
      : {};
    return queue.backend.addJobToTransaction(client, job.asJSON(), id, parent);
  }

  /** Sends all commands for a job, except the one that publishes it. */
  async function store(
    start: Start,
    published: Published,
    indexed?: Promise<JobState | undefined>,
  ): Promise<Enqueued> {
    const { span } = start;
    if (!span) return storeAll(start, published, indexed);
    try {
      const enqueued = await storeAll(start, published, indexed);
      span.end();
      return enqueued;
    } catch (error) {
      span.end(error);
      throw error;
    }
  }

  async function storeAll(
    start: Start,
    published: Published,
    indexed?: Promise<JobState | undefined>,
  ): Promise<Enqueued> {
    const { id, name, data, opts, expiresAt, webhook } = start;
    const [state, added] = await Promise.all([
      indexed,
      add(id, name, data, opts),
      published,
      expiresAt === undefined ? undefined : expiry.add(id, expiresAt),
      webhook && webhooks.add(id, webhook, opts.delay),
    ]);
    if (added === id) {
      jobsQueued.at(name).value++;
      return { id, state };
    }
    // An unfinished job has the same deduplication key: the caller gets that job, and this id stays unused.
    await forget(id);
    return { id: added, state: undefined };
  }

  // `waiting` has to be published before a worker can take the job. The nodes of a Cluster keep no order between them.
  if (!oneTurn || isCluster(redis)) {
    return async (job) => {
      const start = startOf(job);
      const { channel, event, fence } = start.waiting;
      const publish = () => publisher.publish(channel, event, fence);
      const published = await (oneTurn ? publish() : untilTaken(publish));
      return store(start, published, indexNew?.(start.id));
    };
  }
  const sendTogether = oncePerTurn((starts: Array<[Start, (enqueued: Promise<Enqueued>) => void]>) => {
    // Before the first command, because all are sent at the end of this turn: then this one is sent with them.
    const indexed = starts.map(([{ id }]) => indexNew?.(id));
    const published = publisher.publishTogether(starts.map(([{ waiting }]) => waiting));
    for (const [i, [start, resolve]] of starts.entries()) resolve(store(start, published[i], indexed[i]));
  });
  return async (job) => {
    const start = startOf(job);
    return new Promise((resolve) => sendTogether([start, resolve]));
  };
}

type Published = Promise<string | undefined> | string | undefined;

/** What is sent to Redis for a job. */
interface Start {
  id: string;
  name: string;
  data: unknown;
  /** BullMQ's options. */
  opts: JobsOptions;
  /** The first event on the job's channel. */
  waiting: Publication;
  expiresAt: number | undefined;
  webhook: Webhook | undefined;
  /** Absent while tracing is off. */
  span: SendSpan | undefined;
}

function startOf(job: NewJob): Start {
  const { id, definition, data, options, owner = '', requestId, ancestors, bullmq: further } = job;
  const now = serverNow();
  const { name, defaults } = definition;
  const { bullmq, dueAt, expiresAt } = queueOptions(options, defaults, owner, now);
  const { webhook } = options;
  const span = tracing()?.send({ id, kind: name, queue: queueNameOf(requireAddress(id).queue) });
  return {
    id,
    name,
    data,
    opts: {
      jobId: id,
      ...bullmq,
      ...further,
      ...telemetryOption(span?.metadata),
      headway: {
        ...bullmq.headway,
        ...(requestId ? { requestId } : {}),
        ...(ancestors ? { ancestors } : {}),
      },
    } as JobsOptions,
    waiting: { channel: jobChannel(id), ...accepted({ id, name, ...(dueAt ? { dueAt } : {}) }) },
    expiresAt,
    webhook: webhook && {
      ...webhook,
      owner,
      ...(requestId ? { requestId } : {}),
      job: { name, createdAt: now },
    },
    span,
  };
}
