import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HeadwayError } from '../../shared/errors.js';
import { keepFiles } from '../../shared/files/keep.js';
import type { FileStore } from '../../shared/files/store.js';
import type { HeldFiles } from '../../shared/files/sweep.js';
import type { JobDefinition } from '../../shared/jobs/definition.js';
import { type JobOptions, optionsSchema } from '../../shared/jobs/options.js';
import {
  derivedJobId,
  jobIdOf,
  placedJobId,
  type QueuePlan,
  requireAddress,
} from '../../shared/jobs/queues.js';
import type { Registry } from '../../shared/jobs/registry.js';
import { validate } from '../../shared/jobs/schema.js';
import { createEnqueue, type Enqueued, type EnqueueOptions } from '../../shared/runtime/enqueue.js';
import { inShard, queueNameOf, shardFor } from '../../shared/shards.js';
import type { Principal } from '../auth/principal.js';
import { firstError, invalid, requireValid } from '../http/invalid.js';
import { keyScope } from './idempotency.js';
import { requireKind, requireWithinLimits } from './permission.js';
import { checkWebhook, type WebhookRules } from './webhook.js';

/** The body of `POST /v1/jobs`. */
export const startSchema = z.strictObject({
  name: z.string().min(1).describe('The kind of job; see `GET /v1/definitions`'),
  data: z.unknown().optional().describe('The data of the job, as its kind requires. Defaults to `{}`'),
  options: optionsSchema.optional(),
});

/** A valid request for a job that has not been queued yet. */
export interface JobRequest {
  definition: JobDefinition;
  data: unknown;
  options: JobOptions;
  caller: Principal;
  /** The id of the HTTP request. */
  requestId?: string | undefined;
}

/** What decides where a job goes. */
export interface JobToPlace {
  name: string;
  deduplicationKey?: string | undefined;
  caller: Principal;
}

/** Returns what decides where the job of a request goes. */
export const placeIn = ({ definition, options, caller }: JobRequest): JobToPlace => ({
  name: definition.name,
  deduplicationKey: options.deduplicationKey,
  caller,
});

export interface StartOptions extends EnqueueOptions {
  plan: QueuePlan;
  registry: Registry;
  store: FileStore;
  isHeld: HeldFiles;
  webhookRules: WebhookRules;
  /** The time limit of kinds that have none, in ms; 0 for no limit. */
  defaultTimeoutMs: number;
}

/** Validates requests for jobs and queues the jobs. */
export interface JobStarter {
  /** Validates a request. @throws HeadwayError with what is wrong and where */
  check(body: unknown, caller: Principal): Promise<JobRequest>;
  /**
   * Makes the id of a new job, in its shard.
   * @param seed makes the same id again. Defaults to a random id
   * @param shards defaults to `QUEUE_SHARDS`
   */
  idFor(job: JobToPlace, seed?: string, shards?: number): string;
  /**
   * Queues a job with an id from `idFor`. The job is stored when the promise resolves. A second call with the same id
   * does nothing.
   * @returns the job: another one when an unfinished job has the same deduplication key
   */
  start(id: string, request: JobRequest): Promise<Enqueued>;
  /** Returns the key of BullMQ's that exists if a job is a duplicate of an unfinished one; `undefined` if it cannot be. */
  duplicateKey(id: string, request: JobRequest): string | undefined;
}

export function createJobStarter(given: StartOptions): JobStarter {
  const { redis, keyspace, plan, registry, store, isHeld, webhookRules, defaultTimeoutMs } = given;
  const { shards } = keyspace;
  const enqueue = createEnqueue(given);

  async function check(body: unknown, caller: Principal): Promise<JobRequest> {
    const { name, data = {}, options = {} } = await requireValid(startSchema, body);
    checkDeduplicationKey(options, caller);
    checkWebhook(options.webhook, webhookRules);
    const definition = registry.get(name);
    if (!definition || definition.internal) {
      const startable = [...registry.values()].filter(({ internal }) => !internal);
      const known = startable
        .map((kind) => kind.name)
        .sort()
        .join(', ');
      throw new HeadwayError(
        'unknown-job',
        `Unknown job type ${JSON.stringify(name.slice(0, 80))}. Available: ${known}.`,
        [{ pointer: '/name', detail: 'unknown job type' }],
      );
    }
    requireKind(caller, name);
    const input = await validate(definition.input, data);
    if (input.errors) {
      const errors = input.errors.map((error) => ({ ...error, pointer: `/data${error.pointer}` }));
      throw new HeadwayError('invalid-data', firstError(errors), errors);
    }
    await requireWithinLimits({ definition, data, options }, caller, defaultTimeoutMs);
    await checkFiles(input.value);
    return { definition, data, options, caller };
  }

  /** Checks that the files in the data exist, and renews their lifetime. */
  async function checkFiles(value: unknown): Promise<void> {
    const missing = (await keepFiles(store, isHeld, value)).map((error) => ({
      ...error,
      pointer: `/data${error.pointer}`,
    }));
    if (missing.length > 0) {
      throw new HeadwayError('unknown-file', firstError(missing), missing);
    }
  }

  const deduplicationId = ({ name, deduplicationKey, caller }: JobToPlace) =>
    deduplicationKey ? secretId(keyScope(caller), name, deduplicationKey) : undefined;

  const duplicateKeyIn = (queue: string, duplicate: string): string =>
    keyspace.queueKey(queue, `de:${duplicate}`);

  /**
   * Looks for an unfinished job with the same deduplication key in another shard. There is one if `QUEUE_SHARDS` was changed
   * after its start.
   * @returns its id
   */
  async function findElsewhere(id: string, duplicate: string): Promise<string | undefined> {
    const { queue } = requireAddress(id);
    const name = queueNameOf(queue);
    const queues = new Set(shards.counts.map((count) => inShard(name, shardFor(duplicate, count))));
    queues.delete(queue);
    const found = await Promise.all(
      Array.from(queues, async (other) => {
        const holder = await redis.get(duplicateKeyIn(other, duplicate));
        return holder === null ? undefined : jobIdOf({ queue: other, id: holder });
      }),
    );
    return found.find((holder) => holder !== undefined);
  }

  return {
    check,
    idFor(job, seed, count = shards.placed) {
      const queue = plan.of(job.name);
      const duplicate = deduplicationId(job);
      if (seed === undefined) return placedJobId(queue, count, duplicate);
      return derivedJobId(inShard(queue, shardFor(duplicate ?? seed, count)), seed);
    },
    duplicateKey(id, request) {
      const duplicate = deduplicationId(placeIn(request));
      return duplicate && duplicateKeyIn(requireAddress(id).queue, duplicate);
    },
    async start(id, request) {
      const { definition, data, options, caller, requestId } = request;
      const duplicate = deduplicationId(placeIn(request));
      const other = duplicate && shards.known > 1 ? await findElsewhere(id, duplicate) : undefined;
      if (other) return { id: other, state: undefined };
      const bullmq = duplicate ? { deduplication: { id: duplicate } } : {};
      return enqueue({ id, definition, data, options, owner: caller.id, requestId, bullmq });
    },
  };
}

/** A deduplication key is a secret of the caller: Redis stores only its digest. */
const secretId = (scope: string, name: string, key: string): string =>
  createHash('sha256').update(`${scope} ${name} ${key}`).digest('base64url');

/** An unauthenticated caller who knows a key gets the token of the job, so the key has to be hard to guess. */
function checkDeduplicationKey({ deduplicationKey }: JobOptions, { signedIn }: Principal): void {
  if (deduplicationKey === undefined || signedIn || deduplicationKey.length >= 16) return;
  const pointer = '/options/deduplicationKey';
  const detail = 'must have at least 16 characters if unauthenticated, because it is a secret';
  throw invalid([{ pointer, detail }]);
}
