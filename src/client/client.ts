import { type ChannelOptions, Channels } from './channel.js';
import { baseUrl, call, type RetryListener, type ServiceOptions } from './http.js';
import { Job, type JobListeners, type WatchJobOptions } from './job.js';
import type { DataOf, EventsOf, JobMap, Jobs, NameOf, ResultOf } from './jobs.js';
import { createLazyPool } from './lazy-pool.js';
import { createSharedPool } from './shared-pool.js';
import type { CarriedTypes, JobOptions, NoEvents, OwnJobEvent, UploadedFile } from './types.js';
import { type Upload, upload, uploadAll, type WithFiles } from './upload.js';
import { type ReadEvent, type WatchOptions, watchTopic } from './watch.js';

export interface ClientOptions extends ServiceOptions {
  /**
   * Shares one connection between all tabs, in browsers that have `SharedWorker`. `false` gives each tab its own
   * connection. So does `fetch`, or a function as `token` or `headers`, because another tab could not call it.
   * Defaults to `true`.
   */
  shared?: boolean;
  /** A connection that receives no byte for this long, in ms, is replaced. Defaults to 45000: three heartbeats. */
  silenceMs?: number;
  /**
   * A stream that brings no byte for this long after its request, in ms, is given up: a proxy withholds it, or the
   * connection is dead. The client then polls, and tries a stream again now and then. 0 polls from the beginning. Defaults
   * to 4000, and to 0 where the global `fetch` has no streams, as in React Native.
   */
  mutedMs?: number;
}

/** Options of a start: `options` of `POST /v1/jobs`, and listeners for the job's events. */
export interface StartOptions<R = unknown, E = NoEvents> extends JobOptions, JobListeners<R, E> {
  /**
   * Calls with the same key and data start one job. Defaults to a random key for each call, so that a start can be
   * repeated when its response was lost. At least 16 characters if unauthenticated. Without a key and without `crypto`
   * (React Native), a start is not repeated.
   */
  idempotencyKey?: string;
  /** Called when a start failed and will be repeated, with the delay in ms. */
  onRetry?: RetryListener;
  /** Stops trying to start the job; once it has started, stops watching it. */
  signal?: AbortSignal | undefined;
}

/** An event to publish. See `POST /v1/channels/:name` in docs/reference/http.md. */
export interface Publication {
  data: unknown;
  event?: string;
  id?: string;
  retry?: number;
  kind?: 'log' | 'state';
  key?: string;
}

/** Options for publishing an event. */
export interface PublishOptions {
  signal?: AbortSignal | undefined;
  /** Calls with the same key and event publish it once. Defaults to a random key. */
  idempotencyKey?: string | undefined;
  onRetry?: RetryListener | undefined;
}

/**
 * A reference to a job: its id, one of its links, or the result of starting it. A started job has the types of its result and
 * custom events.
 */
export type JobReference<R = unknown, E = NoEvents> =
  | string
  | { id: string; token?: string | undefined; readonly '~types'?: CarriedTypes<R, E> };

/** A job of a kind, as `startJob` returns it: `JobOf<'greet', typeof jobs>`. */
export type JobOf<N extends NameOf<J>, J extends Jobs = JobMap> = Job<ResultOf<J, N>, EventsOf<J, N>>;

/** What follows the name in `startJob`. Data that may be `{}` can be left out. */
export type StartArguments<J, N> =
  Record<never, never> extends DataOf<J, N>
    ? [data?: WithFiles<DataOf<J, N>>, options?: StartOptions<ResultOf<J, N>, EventsOf<J, N>>]
    : [data: WithFiles<DataOf<J, N>>, options?: StartOptions<ResultOf<J, N>, EventsOf<J, N>>];

/** A client of one service. */
export interface Client<J extends Jobs = JobMap> {
  /**
   * Starts a job. Files in its data (`File`, `Blob`, `Buffer`, streams) are uploaded first.
   * @param name the name of a kind of job; a name that the client does not know does not compile
   * @param start the data of the job, checked against the `input` schema of the kind, and options
   * @throws ProblemError
   */
  startJob<N extends NameOf<J>>(
    name: N,
    ...start: StartArguments<J, N>
  ): Promise<Job<ResultOf<J, N>, EventsOf<J, N>>>;
  /** Watches a job by its id or a link to it. @throws TypeError for an invalid link, or a link to another service */
  watchJob<R = unknown, E = NoEvents>(job: JobReference<R, E>, watch?: WatchJobOptions<R, E>): Job<R, E>;
  /**
   * Watches the unfinished jobs of the caller, including jobs that start or are retried later, until each of them
   * ends. After a `reset`, all of them are sent again.
   * @returns a function that stops watching
   */
  watchOwnJobs(watch: WatchOptions<OwnJobEvent>): () => void;
  /** Watches one channel. */
  watchChannel<T = unknown>(name: string, watch?: ChannelOptions<T>): Channels<T>;
  /** Watches several channels over one connection. */
  watchChannels<T = unknown>(names: string[], watch?: ChannelOptions<T>): Channels<T>;
  /**
   * Publishes an event to a channel, once. Repeats the call while the service is unreachable or overloaded.
   * @returns the id of the event
   * @throws ProblemError
   */
  publish(channel: string, event: Publication, how?: PublishOptions): Promise<string>;
  /**
   * Uploads a file. Its id goes into the data of a job.
   * @param how.name the file's name, if the content has no name
   */
  upload(content: Upload, how?: { name?: string; signal?: AbortSignal }): Promise<UploadedFile>;
}

/** Sends JSON, with a key that makes it safe to repeat, random by default. React Native has no random numbers for one. */
function post(
  options: ClientOptions,
  path: string,
  json: unknown,
  { signal, onRetry, idempotencyKey }: PublishOptions,
): Promise<Response> {
  const key = idempotencyKey ?? globalThis.crypto?.getRandomValues(new Uint8Array(16)).join();
  const repeatable = key && { headers: { 'Idempotency-Key': key }, tries: 5 };
  return call(options, path, { method: 'POST', json, signal, onRetry, ...repeatable });
}

/**
 * The first start of this page at each service, and whether it succeeded. Other starts wait for it, because its response
 * sets the cookie that identifies the visitor. Concurrent starts would each get a different cookie, and the browser would
 * keep only the last. A failed start is removed.
 */
const firsts = new Map<string, Promise<boolean>>();

/**
 * Creates a client of one service, for browsers and Node.
 *
 * `createClient<typeof jobs>()`, with job definitions or job types by name, adds types for names, data, results and custom
 * events. Defaults to {@link JobMap}. `createClient<AnyJobs>()` starts jobs of any name.
 */
export function createClient<J extends Jobs = JobMap>(options: ClientOptions = {}): Client<J> {
  const { silenceMs = 45_000, mutedMs = options.fetch || 'body' in Response.prototype ? 4000 : 0 } = options;
  const patience = { silenceMs, mutedMs };
  const pool = createSharedPool(options, patience) ?? createLazyPool(options, patience);

  return {
    // biome-ignore lint/suspicious/noExplicitAny: the signature in `Client` has the types
    async startJob(name: string, data?: unknown, start: StartOptions<any, any> = {}): Promise<Job<any, any>> {
      const { signal, onRetry, idempotencyKey, ...rest } = start;
      const listeners = Object.entries(rest).filter(([, value]) => typeof value === 'function');
      // Listeners are functions, which JSON cannot contain, so they are not sent.
      const json = { name, data: await uploadAll(options, data, { signal, onRetry }), options: rest };
      const service = baseUrl(options);
      // Check and insert must happen in the same tick.
      for (let first = firsts.get(service); first && !(await first); ) first = firsts.get(service);
      const answer = post(options, 'v1/jobs', json, start);
      if (!firsts.has(service)) {
        const succeeded = answer.then(
          () => true,
          () => !firsts.delete(service),
        );
        firsts.set(service, succeeded);
      }
      const { id, token, deduplicated, links } = await (await answer).json();
      const watch = { token, signal, ...Object.fromEntries(listeners) };
      return new Job(options, pool, id, watch, { name, deduplicated, links });
    },

    watchJob<R, E>(job: JobReference<R, E>, watch: WatchJobOptions<R, E> = {}): Job<R, E> {
      const { id, token } = typeof job === 'string' ? parseLink(job, () => baseUrl(options)) : job;
      return new Job(options, pool, id, token ? { token, ...watch } : watch);
    },

    watchOwnJobs: (watch) =>
      watchTopic(pool, { kind: 'jobs', name: 'mine' }, watch as WatchOptions<ReadEvent>),

    watchChannel: <T>(name: string, watch?: ChannelOptions<T>) => new Channels<T>(pool, [name], watch),
    watchChannels: <T>(names: string[], watch?: ChannelOptions<T>) => new Channels<T>(pool, names, watch),

    async publish(channel, event, how = {}) {
      const answer = await post(options, `v1/channels/${encodeURIComponent(channel)}`, event, how);
      return (await answer.json()).id;
    },

    upload: (content, how) => upload(options, content, how),
  };
}

/** The job that a link refers to, with the token if the link contains one. */
function parseLink(link: string, base: () => string): { id: string; token?: string | undefined } {
  // Anything that does not look like a link is an id. The job may not exist.
  if (!/^\/|^\w+:|v1\/jobs\/|[?#]/.test(link)) return { id: link };
  const [, root, id, query] = /^(.*?)\/?v1\/jobs\/([^/?#]+)[^?#]*(\?[^#]*)?/.exec(link) ?? [];
  if (root === undefined || !id)
    throw new TypeError(`${link} is not a link to a job: it has no /v1/jobs/<id>`);
  // A token or cookie of this service must not be sent to another one.
  if (/^(\w+:)?\/\//.test(root) && new URL(`${root}/`, base()).href !== base()) {
    throw new TypeError(
      `${link} belongs to another service, not to ${base()}: createClient({url: '${root}'})`,
    );
  }
  return { id: decodeURIComponent(id), token: new URLSearchParams(query).get('token') ?? undefined };
}
