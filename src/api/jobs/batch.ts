import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { HeadwayError } from '../../shared/errors.js';
import type { JobOptions } from '../../shared/jobs/options.js';
import type { Enqueued } from '../../shared/runtime/enqueue.js';
import type { Principal } from '../auth/principal.js';
import { requireValid } from '../http/invalid.js';
import type { LimitedCaller } from '../limits/caller.js';
import type { Idempotency } from './idempotency.js';
import { type JobRequest, type JobStarter, type JobToPlace, placeIn } from './start.js';
import type { LimitedStarter } from './start-limited.js';

const MAX_JOBS = 1000;

/** The body of `POST /v1/jobs:batch`. Each job is validated like the body of `POST /v1/jobs`. */
export const batchSchema = z.strictObject({
  jobs: z.array(z.unknown()).min(1).max(MAX_JOBS),
  mode: z
    .enum(['all-or-nothing', 'per-item'])
    .optional()
    .describe(
      '`all-or-nothing` (default): if any job is invalid, no job is queued. `per-item`: the valid jobs are queued',
    ),
});

/** The outcome of one job of a batch: it was queued, or it is invalid (a problem, RFC 9457). */
export type BatchItem =
  | (Enqueued & { name: string; deduplicated: boolean; error?: undefined })
  | { error: Record<string, unknown> };

export interface BatchOptions {
  starter: JobStarter;
  limitedStarter: LimitedStarter;
  /** `QUEUE_SHARDS`. */
  shards: number;
  idempotency: Idempotency;
}

/**
 * Starts many jobs with one round trip to Redis.
 * @param key an `Idempotency-Key`, scoped to the caller
 * @param limited the caller as limits count it
 * @throws HeadwayError for an invalid body and, in the mode `all-or-nothing`, for an invalid job or if the limits of the
 *   caller do not allow all of them
 */
export type StartBatch = (
  body: unknown,
  caller: Principal,
  limited: LimitedCaller,
  key: string | undefined,
  requestId?: string,
) => Promise<BatchItem[]>;

/** What is stored about a job: its error, the id of the job that it duplicates, or 0 for a new job. */
type StoredItem = Record<string, unknown> | string | 0;

export function createBatchStarter({
  starter,
  limitedStarter,
  shards,
  idempotency,
}: BatchOptions): StartBatch {
  /** The id of a batch names the number of shards, because its key may be used again after `QUEUE_SHARDS` has changed. */
  const idOf = (batch: string, job: JobToPlace, index: number): string =>
    starter.idFor(job, `${batch} ${index}`, Number(batch.split('~')[1] ?? 1));

  return async (body, caller, limited, key, requestId) => {
    const { jobs, mode = 'all-or-nothing' } = await requireValid(batchSchema, body);
    const checked = await Promise.all(jobs.map((job, i) => check(starter, job, caller, i)));
    if (mode === 'all-or-nothing') refuseInvalid(checked);

    const fresh = `batch:${randomUUID()}${shards === 1 ? '' : `~${shards}`}`;
    const use = key ? await idempotency.claim(key, body, fresh) : { jobId: fresh, queued: false };
    // Stored with the key: the id of the batch, from which the ids of new jobs are derived, and its `StoredItem`s.
    const [, batch, text = ''] = use.jobId.split(':') as [string, string, string | undefined];
    const started: Enqueued[] = [];
    let stored: StoredItem[];
    if (use.queued) {
      stored = JSON.parse(decodeURIComponent(text)) as StoredItem[];
    } else {
      const valid = checked.flatMap((request, i) =>
        request instanceof HeadwayError
          ? []
          : [{ id: idOf(batch, placeIn(request), i), request: { ...request, requestId }, i }],
      );
      const start = mode === 'per-item' ? limitedStarter.startEach : limitedStarter.startAll;
      const jobs = await start(limited, valid);
      stored = checked.map((request) => (request instanceof HeadwayError ? request.toProblem() : 0));
      for (const [n, { id, i }] of valid.entries()) {
        const job = jobs[n] as Enqueued | HeadwayError;
        if (job instanceof HeadwayError) {
          stored[i] = job.toProblem();
        } else {
          started[i] = job;
          stored[i] = job.id === id ? 0 : job.id;
        }
      }
      if (key) await idempotency.confirm(key, `batch:${batch}:${encodeURIComponent(JSON.stringify(stored))}`);
    }
    return stored.map((item, i) => {
      if (typeof item === 'object') return { error: item };
      // The body is the same as when it was validated.
      const { name, options } = jobs[i] as { name: string; options?: JobOptions };
      const job = { name, deduplicationKey: options?.deduplicationKey, caller };
      const { id, state } = started[i] ?? { id: item === 0 ? idOf(batch, job, i) : item, state: undefined };
      return { id, state, name, deduplicated: item !== 0 };
    });
  };
}

async function check(
  starter: JobStarter,
  job: unknown,
  caller: Principal,
  index: number,
): Promise<JobRequest | HeadwayError> {
  try {
    return await starter.check(job, caller);
  } catch (error) {
    if (!(error instanceof HeadwayError)) throw error;
    const errors = (error.errors ?? [{ pointer: '', detail: error.detail }]).map(({ pointer, detail }) => ({
      pointer: `/jobs/${index}${pointer}`,
      detail,
    }));
    return new HeadwayError(error.code, `Job ${index}: ${error.detail}`, errors);
  }
}

/** @throws HeadwayError with the code of the first invalid job, and the pointers of all errors */
function refuseInvalid(checked: Array<JobRequest | HeadwayError>): void {
  const errors = checked.filter((request) => request instanceof HeadwayError);
  const [first] = errors;
  if (!first) return;
  const more = errors.length > 1 ? ` ${errors.length - 1} more jobs are invalid.` : '';
  throw new HeadwayError(
    first.code,
    `${first.detail}${more} Nothing was queued.`,
    errors.flatMap((error) => error.errors ?? []),
  );
}
