import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { HeadwayError } from '../../shared/errors.js';
import { derivedJobId, type QueuePlan } from '../../shared/jobs/queues.js';
import type { Principal } from '../auth/principal.js';
import { requireValid } from '../http/invalid.js';
import type { Idempotency } from './idempotency.js';
import type { JobRequest, JobStarter } from './start.js';

const MAX_JOBS = 1000;

/** The body of `POST /v1/jobs:batch`. Each of its jobs is checked as that of a `POST /v1/jobs`. */
export const batchSchema = z.strictObject({
  jobs: z.array(z.unknown()).min(1).max(MAX_JOBS),
  mode: z
    .enum(['all-or-nothing', 'per-item'])
    .optional()
    .describe(
      '`all-or-nothing` (default): with a mistake in any job nothing is queued. `per-item`: those in order are queued',
    ),
});

/** What became of one job of a batch: it was queued, or this is what is wrong with it (a problem, RFC 9457). */
export type BatchItem =
  | { id: string; name: string; deduplicated: boolean; error?: undefined }
  | { error: Record<string, unknown> };

export interface BatchOptions {
  starter: JobStarter;
  plan: QueuePlan;
  idempotency: Idempotency;
}

/**
 * Starts many jobs at once: one round trip to Redis queues all of them.
 * @param key an `Idempotency-Key`, made the caller's own
 * @throws HeadwayError for what is wrong with the body or, unless asked for each job, with any of its jobs
 */
export type StartBatch = (body: unknown, caller: Principal, key: string | undefined) => Promise<BatchItem[]>;

/** What is remembered of an item: an error, the id of another job that it turned out to be, or nothing. */
type Kept = Record<string, unknown> | string | 0;

export function createBatchStarter({ starter, plan, idempotency }: BatchOptions): StartBatch {
  const idOf = (batch: string, name: string, index: number): string =>
    derivedJobId(plan.of(name), `${batch} ${index}`);

  return async (body, caller, key) => {
    const { jobs, mode = 'all-or-nothing' } = await requireValid(batchSchema, body);
    const checked = await Promise.all(jobs.map((job, i) => check(starter, job, caller, i)));
    if (mode === 'all-or-nothing') refuseMistakes(checked);

    const fresh = `batch:${randomUUID()}`;
    const use = key ? await idempotency.claim(key, body, fresh) : { jobId: fresh, queued: false };
    // What is kept with the key is the batch, from which the ids of its jobs follow, and what differs from that.
    const [, batch, text] = use.jobId.split(':') as [string, string, string | undefined];
    let kept: Kept[];
    if (use.queued) {
      kept = JSON.parse(decodeURIComponent(text!)) as Kept[];
    } else {
      kept = await Promise.all(
        checked.map(async (request, i) => {
          if (request instanceof HeadwayError) return request.toProblem();
          const id = idOf(batch, request.definition.name, i);
          const started = await starter.start(id, request);
          return started === id ? 0 : started;
        }),
      );
      if (key) await idempotency.confirm(key, `batch:${batch}:${encodeURIComponent(JSON.stringify(kept))}`);
    }
    return kept.map((item, i) => {
      if (typeof item === 'object') return { error: item };
      // The same body as when it was found in order.
      const { name } = jobs[i] as { name: string };
      return { id: item === 0 ? idOf(batch, name, i) : item, name, deduplicated: item !== 0 };
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

/** @throws HeadwayError with the code of the first mistake and the places of all of them */
function refuseMistakes(checked: Array<JobRequest | HeadwayError>): void {
  const mistakes = checked.filter((request) => request instanceof HeadwayError);
  const [first] = mistakes;
  if (!first) return;
  const more = mistakes.length > 1 ? ` ${mistakes.length - 1} more jobs have mistakes.` : '';
  throw new HeadwayError(
    first.code,
    `${first.detail}${more} Nothing was queued.`,
    mistakes.flatMap(({ errors }) => errors!),
  );
}
