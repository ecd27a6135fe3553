import type { z } from 'zod';
import { HeadwayError } from '../../shared/errors.js';
import type { JobDefinition } from '../../shared/jobs/definition.js';
import type { JobEvent, JobEventData } from '../../shared/jobs/events/types.js';
import { kindName } from '../../shared/jobs/kind.js';
import type { optionsSchema } from '../../shared/jobs/options.js';
import { meantJobId } from '../../shared/jobs/queues.js';
import type { JobState } from '../../shared/jobs/states.js';
import type { CarriedTypes, NoEvents } from '../../shared/jobs/types.js';
import { isRedisFault } from '../../shared/redis/faults.js';
import { jobNotFound } from '../auth/access.js';
import { userClaims } from '../auth/claims.js';
import type { ShardCheck } from '../auth/known-shard.js';
import { ADMIN, NO_GRANTS, type Principal, principalId } from '../auth/principal.js';
import { requireValid } from '../http/invalid.js';
import { redisUnavailable } from '../http/problem.js';
import type { JobActions } from '../jobs/actions.js';
import type { AcceptedJob } from '../jobs/answers.js';
import { parseListQuery } from '../jobs/list-query.js';
import type { Callers } from '../limits/caller.js';
import type { OpenJobChannel } from '../stream/job-channel.js';
import type { EventsOf, JobList, NameOf, ResultOf, StartArguments } from './kinds.js';
import { headwayClosed, type LocalViewers } from './viewer.js';

/** A user of the application: the `sub` and the `tenant` of the user's tokens. */
export interface JobOwner {
  sub: string;
  tenant?: string | undefined;
}

/** Options of a start: `options` of `POST /v1/jobs`, and who starts the job. */
export interface StartOptions extends z.input<typeof optionsSchema> {
  /**
   * The user who starts the job: the user may see it, and the user's limits apply. By default, it is the application itself,
   * which has no limits; the job then belongs to `admin`, and everybody else needs its token.
   */
  owner?: JobOwner | undefined;
  /** Calls with the same key and data start one job. */
  idempotencyKey?: string | undefined;
}

/** A started job: the body of the 202. */
export interface StartedJob<R = unknown, E = NoEvents> extends AcceptedJob {
  /** Opens the job to whoever has it, such as the page of a user. */
  token: string;
  readonly '~types'?: CarriedTypes<R, E>;
}

/** A job: its id, or the result of `startJob`, which has the types of its result and custom events. */
export type JobReference<R = unknown, E = NoEvents> =
  | string
  | { id: string; readonly '~types'?: CarriedTypes<R, E> };

/** Options of {@link HeadwayJobs.watch}. */
export interface WatchOptions {
  /** The id of the last event that was seen, to continue after it. */
  after?: string | undefined;
  /** Continues after the end of the job, so that a retry is seen. Defaults to `false`. */
  retries?: boolean | undefined;
  /** Stops watching. The job continues. */
  signal?: AbortSignal | undefined;
}

/** Which jobs to list: the parameters of `GET /v1/jobs`. */
export interface ListOptions {
  /** Defaults to the jobs of all owners. */
  owner?: JobOwner | undefined;
  state?: JobState | JobState[] | undefined;
  name?: string | string[] | undefined;
  tag?: string | string[] | undefined;
  /** Only jobs created at or after this time. A number is ms since 1970. */
  from?: Date | number | undefined;
  /** Only jobs created before this time. */
  to?: Date | number | undefined;
  /** 1 to 200. Defaults to 50. */
  limit?: number | undefined;
  /** `next` of the previous page. */
  cursor?: string | undefined;
}

/** A job as `GET /v1/jobs/:id` returns it. Times are ms since 1970. */
export interface JobNow<R = unknown> {
  id: string;
  name: string;
  state: JobState;
  progress: JobEventData['progress'] | null;
  /** The number of runs started so far. */
  attempt: number;
  /** The maximum number of runs. */
  attempts: number;
  createdAt: number;
  dueAt?: number;
  startedAt?: number;
  finishedAt?: number;
  /** Of a completed job. */
  result?: R;
  /** Of a failed job. */
  error?: JobEventData['failed']['error'];
  children?: { total: number; pending: number; completed: number; failed: number };
  /** The id of the job that started this one with `ctx.child`. */
  parent?: string;
  /** The job was asked to stop and has not ended yet. */
  cancelling?: true;
  paused?: true;
  noWorker?: true;
  title?: string;
  tags?: string[];
  metadata?: Record<string, unknown>;
  /** When the job fails because it has not started. */
  expiresAt?: number;
  /** The id of the schedule that started the job. */
  schedule?: string;
  links: AcceptedJob['links'] & { parent?: string };
}

/**
 * Jobs, from the code of the application. The calls do what the HTTP API does for a caller with full access, with the same
 * checks, and throw a `HeadwayError` with its `code`. `J` is the list of the application's `jobs`, which types starts by name.
 */
export interface HeadwayJobs<J extends JobList = JobList> {
  /**
   * Starts a job. Resolves when the job is stored.
   * @param job the definition or the name of the kind, which type the data, result and custom events. A name that is not in the
   *   application's `jobs` compiles only if they contain a folder of job files.
   * @param start the data of the job, checked against the `input` schema of the kind, and options
   * @throws HeadwayError such as `unknown-job`, `invalid-data` (with `errors`), `limit-exceeded`, `quota-exceeded`, `unavailable`
   */
  startJob<K extends NameOf<J> | JobDefinition>(
    job: K,
    ...start: StartArguments<J, K, StartOptions>
  ): Promise<StartedJob<ResultOf<J, K>, EventsOf<J, K>>>;
  /**
   * Yields the events of a job, those so far first, each once, until the job ends. It continues after an outage of Redis.
   * @throws HeadwayError `not-found`, `gone`, `unavailable` (also when Headway is closed); the reason of the signal
   */
  watch<R = unknown, E = NoEvents>(
    job: JobReference<R, E>,
    options?: WatchOptions,
  ): AsyncGenerator<JobEvent<R, E>, void, undefined>;
  /**
   * Cancels a job. A waiting job ends at once; a running one is asked to stop.
   * @throws HeadwayError `already-finished`, `not-found`, `gone`, `unavailable`
   */
  cancel<R = unknown>(job: JobReference<R, unknown>): Promise<JobNow<R>>;
  /** Lists jobs, newest first. @throws HeadwayError `invalid-request`, `unavailable` */
  list(options?: ListOptions): Promise<{ jobs: JobNow[]; next?: string }>;
}

export interface LocalJobsOptions {
  actions: JobActions;
  callers: Pick<Callers, 'named'>;
  hasKnownShard: ShardCheck;
  openJobChannel: OpenJobChannel;
  viewers: LocalViewers;
  /** `BODY_MAX_BYTES`. */
  maxBytes: number;
  /** `LIST_MAX_VALUES`. */
  maxValues: number;
  /** The path of `PUBLIC_URL`, with which all links begin. */
  base: string;
}

export function createLocalJobs(options: LocalJobsOptions): HeadwayJobs {
  const { actions, callers, hasKnownShard, openJobChannel, viewers, maxBytes, maxValues, base } = options;

  /** Does what a route does. A fault of Redis becomes the error that the route answers with. */
  async function answered<T>(work: () => Promise<T>): Promise<T> {
    if (viewers.closed) throw headwayClosed();
    try {
      return await work();
    } catch (error) {
      throw isRedisFault(error) ? redisUnavailable(error as Error) : error;
    }
  }

  /** Returns the id of a job that may exist. @throws HeadwayError `not-found` */
  async function known(job: JobReference<unknown, unknown>): Promise<string> {
    const jobId = meantJobId(typeof job === 'string' ? job : job.id);
    if (!(await hasKnownShard(jobId))) throw jobNotFound();
    return jobId;
  }

  return {
    startJob: (job: Pick<JobDefinition, 'name'> | string, data?: unknown, given: StartOptions = {}) =>
      answered(async () => {
        const { owner, idempotencyKey: key, ...options } = given;
        const caller = await principalOf(owner);
        const body = asReceived({ name: kindName(job), data, options }, maxBytes);
        return actions.start({ body, caller, limited: callers.named(caller), key, base });
      }),
    async *watch<R, E>(
      job: JobReference<R, E>,
      { after, retries = false, signal }: WatchOptions = {},
    ): AsyncGenerator<JobEvent<R, E>, void, undefined> {
      signal?.throwIfAborted();
      const channel = await answered(async () => openJobChannel(await known(job), after, retries));
      if (!channel.over) yield* viewers.follow(channel, after, signal) as AsyncGenerator<JobEvent<R, E>>;
    },
    cancel: <R>(job: JobReference<R, unknown>) =>
      answered(
        async () => (await actions.view(await actions.cancel(await known(job)), base)) as object as JobNow<R>,
      ),
    list: ({ owner, from, to, ...filter } = {}) =>
      answered(async () => {
        const query = await parseListQuery({ ...filter, from: timeOf(from), to: timeOf(to) }, maxValues);
        const page = await actions.list(query, owner && (await principalOf(owner)).id, base);
        return page as object as { jobs: JobNow[]; next?: string };
      }),
  };
}

/**
 * Returns a body as a route receives it, so that the schema of a kind sees what its worker will get: a `Date`, for example, is a
 * text.
 * @throws HeadwayError `body-too-large`
 * @throws TypeError for data that cannot be converted to JSON
 */
function asReceived(body: unknown, maxBytes: number): unknown {
  const json = JSON.stringify(body);
  if (Buffer.byteLength(json) > maxBytes) {
    throw new HeadwayError('body-too-large', 'The job exceeds BODY_MAX_BYTES.');
  }
  return JSON.parse(json);
}

/** Returns a time as in the query of `GET /v1/jobs`. */
const timeOf = (time: Date | number | undefined): string | undefined =>
  time === undefined ? undefined : String(Number(time));

const ownerSchema = userClaims.pick({ sub: true, tenant: true }).strict();

/** Returns the principal of a user, as a token of the user would identify it; that of the application by default. */
async function principalOf(owner: JobOwner | undefined): Promise<Principal> {
  if (owner === undefined) return ADMIN;
  const { sub, tenant } = await requireValid(ownerSchema, owner, 'The owner');
  return { id: principalId(sub, tenant), signedIn: true, admin: false, sub, tenant, grants: NO_GRANTS };
}
