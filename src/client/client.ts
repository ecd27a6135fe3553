import { type ChannelOptions, Channels } from './channel.js';
import { baseOf, call, type RetryListener, type ServiceOptions } from './http.js';
import { Job, type JobListeners, type WatchJobOptions } from './job.js';
import type { DataOf, JobMap, Jobs, ResultOf } from './jobs.js';
import { createLazyPool } from './lazy-pool.js';
import { createSharedPool } from './shared-pool.js';
import type { JobOptions, OwnJobEvent, UploadedFile } from './types.js';
import { type Upload, upload, uploadAll, type WithFiles } from './upload.js';
import { type ReadEvent, type WatchOptions, watchTopic } from './watch.js';

export interface ClientOptions extends ServiceOptions {
  /**
   * In a browser that has SharedWorker, all tabs share one connection. `false`: each has its own; so it is with `fetch`,
   * and with a function for `token` or `headers`, which no other tab could call.
   */
  shared?: boolean;
  /** A connection without a byte for this long is made anew, in ms. Three heartbeats of the service: 45000. */
  silenceMs?: number;
}

/** How a job is started: `options` of `POST /v1/jobs`, and what can be heard of it. */
export interface StartOptions<R = unknown> extends JobOptions, JobListeners<R> {
  /**
   * Starts with the same key and data are one job. Unless given each call has its own, so that it can be tried again
   * when its answer was lost. 16 characters at least for a caller without a token.
   */
  idempotencyKey?: string;
  /** Starting did not succeed at once and is tried again, in so many ms. */
  onRetry?: RetryListener;
  /** Gives up starting; after that, ends the watching. */
  signal?: AbortSignal | undefined;
}

/** An event to publish, see `POST /v1/channels/:name` in PROTOCOL.md. */
export interface Publication {
  data: unknown;
  event?: string;
  id?: string;
  retry?: number;
  kind?: 'log' | 'state';
  key?: string;
}

/** How an event is published. */
export interface PublishOptions {
  signal?: AbortSignal;
  /** The same key with the same event publishes once. Defaults to a random one. */
  idempotencyKey?: string;
  onRetry?: RetryListener;
}

/** What names a job: its id, one of its links, or what a start has given. */
export type JobReference = string | { id: string; token?: string | undefined };

const randomKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  );

/**
 * The first start of this page at each service. Its answer brings the cookie by which a visitor is known: starts at the
 * same moment would each be another visitor's, of which the browser keeps the last. Whether it succeeded; one that did not is no longer here.
 */
const firsts = new Map<string, Promise<boolean>>();

/**
 * A client of one service, for browsers and Node alike.
 *
 * `createClient<typeof jobs>()`, with definitions or types of jobs by name, types what is started; without, {@link JobMap}.
 */
export function createClient<J extends Jobs = JobMap>(options: ClientOptions = {}) {
  const { silenceMs = 45_000 } = options;
  const pool = createSharedPool(options, silenceMs) ?? createLazyPool(options, silenceMs);

  return {
    /** Starts a job. Files in its data (`File`, `Blob`, `Buffer`, streams) are uploaded first. @throws ProblemError */
    async startJob<N extends (keyof J & string) | (string & {})>(
      name: N,
      data?: WithFiles<DataOf<J, N>>,
      start: StartOptions<ResultOf<J, N>> = {},
    ): Promise<Job<ResultOf<J, N>>> {
      const { signal, onRetry, idempotencyKey = randomKey(), ...rest } = start;
      const listeners = Object.entries(rest).filter(([, value]) => typeof value === 'function');
      // A function has no JSON form: those who listen are not sent.
      const json = { name, data: await uploadAll(options, data, { signal, onRetry }), options: rest };
      const service = baseOf(options);
      // Not a moment may pass between the look and our own entry.
      for (let first = firsts.get(service); first && !(await first); ) first = firsts.get(service);
      const headers = { 'Idempotency-Key': idempotencyKey };
      const answer = call(options, 'v1/jobs', { method: 'POST', headers, json, signal, onRetry, tries: 5 });
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

    /** Watches a job, by its id or a link to it. @throws TypeError for a link to another service, or none at all */
    watchJob<R = unknown>(job: JobReference, watch: WatchJobOptions<R> = {}): Job<R> {
      const { id, token } = typeof job === 'string' ? parseLink(job, () => baseOf(options)) : job;
      return new Job(options, pool, id, token ? { token, ...watch } : watch);
    },

    /**
     * Watches where each of the caller's jobs stands that has not ended, whoever started it or runs it again, and how it
     * ends. After a `reset` all of them come anew.
     * @returns ends it
     */
    watchOwnJobs: (watch: WatchOptions<OwnJobEvent>): (() => void) =>
      watchTopic(pool, { kind: 'jobs', name: 'mine' }, watch as WatchOptions<ReadEvent>),

    /** Watches a channel. */
    watchChannel: <T = unknown>(name: string, watch?: ChannelOptions<T>) =>
      new Channels<T>(pool, [name], watch),
    /** Watches several channels, over one connection. */
    watchChannels: <T = unknown>(names: string[], watch?: ChannelOptions<T>) =>
      new Channels<T>(pool, names, watch),

    /**
     * Publishes to a channel, once: it is tried again while the service does not answer or is overloaded.
     * @returns the id of the event
     * @throws ProblemError
     */
    async publish(channel: string, event: Publication, how: PublishOptions = {}): Promise<string> {
      const { signal, onRetry, idempotencyKey = randomKey() } = how;
      const path = `v1/channels/${encodeURIComponent(channel)}`;
      const headers = { 'Idempotency-Key': idempotencyKey };
      const answer = call(options, path, { method: 'POST', headers, json: event, signal, onRetry, tries: 5 });
      return (await (await answer).json()).id;
    },

    /** Uploads a file, whose id goes into the data of a job. @param how.name what it is called, if it does not say itself */
    upload: (content: Upload, how?: { name?: string; signal?: AbortSignal }): Promise<UploadedFile> =>
      upload(options, content, how),
  };
}

export type Client<J extends Jobs = JobMap> = ReturnType<typeof createClient<J>>;

/** The job that a link leads to. Its token may be in it. */
function parseLink(link: string, base: () => string): { id: string; token?: string | undefined } {
  // What does not begin like a link is an id, perhaps one that no job has.
  if (!/^\/|^\w+:|v1\/jobs\/|[?#]/.test(link)) return { id: link };
  const [, root, id, query] = /^(.*?)\/?v1\/jobs\/([^/?#]+)[^?#]*(\?[^#]*)?/.exec(link) ?? [];
  if (!id) throw new TypeError(`${link} is no link to a job, which has /v1/jobs/<id> in it`);
  // A token or cookie for this service is not for another one.
  if (/^(\w+:)?\/\//.test(root!) && new URL(`${root}/`, base()).href !== base()) {
    throw new TypeError(`${link} is of another service than ${base()}: createClient({url: '${root}'})`);
  }
  return { id: decodeURIComponent(id), token: new URLSearchParams(query).get('token') ?? undefined };
}
