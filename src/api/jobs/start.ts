import { createHash, randomUUID } from 'node:crypto';
import type { Queue } from 'bullmq';
import { z } from 'zod';
import { jobChannel } from '../../shared/channel/keys.js';
import type { Publisher } from '../../shared/channel/publisher.js';
import { type FieldError, HeadwayError } from '../../shared/errors.js';
import { fileIdsIn } from '../../shared/files/reference.js';
import type { FileStore } from '../../shared/files/store.js';
import type { JobDefinition } from '../../shared/job.js';
import type { Expiry } from '../../shared/lifecycle/expiry.js';
import { accepted } from '../../shared/lifecycle/transitions.js';
import type { Registry } from '../../shared/registry.js';
import { validate } from '../../shared/schema.js';
import { type JobOptions, optionsSchema, queueOptions } from './options.js';

/** The body of `POST /v1/jobs`. */
const bodySchema = z.strictObject({
  name: z.string().min(1),
  data: z.unknown().optional(),
  options: optionsSchema.optional(),
});

/** A job that was found in order and is not queued yet. */
export interface JobRequest {
  definition: JobDefinition;
  data: unknown;
  options: JobOptions;
}

export interface StartOptions {
  queue: Queue;
  publisher: Publisher;
  registry: Registry;
  store: FileStore;
  expiry: Expiry;
}

/** Checks requests for jobs and queues them. */
export interface JobStarter {
  /** @throws HeadwayError that says what is wrong, and where */
  check(body: unknown): Promise<JobRequest>;
  /**
   * Queues a job. When it returns, Redis has it. A second call with the same id does nothing.
   * @returns the job's id: another than the one given when a job with the same deduplication key has not ended
   */
  start(id: string, request: JobRequest): Promise<string>;
}

export const newJobId = (): string => randomUUID();

export function createJobStarter({ queue, publisher, registry, store, expiry }: StartOptions): JobStarter {
  async function check(body: unknown): Promise<JobRequest> {
    const parsed = await validate(bodySchema, body);
    if (parsed.errors) {
      const [first] = parsed.errors;
      throw new HeadwayError(
        'invalid-request',
        `${first!.pointer || 'The body'}: ${first!.detail}`,
        parsed.errors,
      );
    }
    const { name, data = {}, options = {} } = parsed.value;
    const definition = registry.get(name);
    if (!definition) {
      const known = [...registry.keys()].sort().join(', ');
      throw new HeadwayError(
        'unknown-job',
        `No job is named ${JSON.stringify(name.slice(0, 80))}. There are: ${known}.`,
        [{ pointer: '/name', detail: 'no such job' }],
      );
    }
    const input = await validate(definition.input, data);
    if (input.errors) {
      const errors = input.errors.map((error) => ({ ...error, pointer: `/data${error.pointer}` }));
      throw new HeadwayError('invalid-data', `${errors[0]!.pointer}: ${errors[0]!.detail}`, errors);
    }
    await keepFiles(input.value);
    return { definition, data, options };
  }

  /** Files named in the data must be there, and stay for as long as a new upload would. */
  async function keepFiles(value: unknown): Promise<void> {
    const missing: FieldError[] = [];
    for (const { id, pointer } of fileIdsIn(value)) {
      if (await store.stat(id)) await store.touch(id);
      else missing.push({ pointer: `/data${pointer}`, detail: 'there is no such file; it may have expired' });
    }
    if (missing.length > 0) {
      throw new HeadwayError('unknown-file', `${missing[0]!.pointer}: ${missing[0]!.detail}`, missing);
    }
  }

  return {
    check,
    async start(id, { definition, data, options }) {
      const { bullmq, dueAt, expiresAt } = queueOptions(options, definition.defaults);
      const { deduplicationKey } = options;
      // Told first: a worker may be faster than we are.
      const told = accepted({ id, name: definition.name, ...(dueAt ? { dueAt } : {}) });
      await publisher.publish(jobChannel(id), told.event, told.fence);
      if (expiresAt !== undefined) await expiry.add(id, expiresAt);
      const job = await queue.add(definition.name, data, {
        ...bullmq,
        jobId: id,
        ...(deduplicationKey ? { deduplication: { id: secretId(definition.name, deduplicationKey) } } : {}),
      });
      return job.id!;
    },
  };
}

/** A deduplication key is a secret of its caller: Redis gets its digest. */
const secretId = (name: string, key: string): string =>
  createHash('sha256').update(`${name} ${key}`).digest('base64url');
