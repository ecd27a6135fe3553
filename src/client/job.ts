import { JobCancelledError, JobFailedError, type ProblemError } from './errors.js';
import { call, rootPath, type ServiceOptions } from './http.js';
import type { Status } from './stream.js';
import { invalidIdProblem, isTerminal, type Pool, type Topic } from './topic.js';
import type { CarriedTypes, JobEvent, JobLinks, JobState, JobView, NoEvents, Progress } from './types.js';
import { callListener, iterate, watchTopic } from './watch.js';

/** Listeners for one job. */
export interface JobListeners<R = unknown, E = NoEvents> {
  /** Called for each `progress` event. */
  onProgress?(progress: Progress): void;
  /** Called for every event, including `progress` and custom events. */
  onEvent?(event: JobEvent<R, E>): void;
  onState?(state: JobState): void;
  /** Called when the state of the connection changes. */
  onStatus?(status: Status): void;
  /** Called when no more events follow: the job has ended, or the stream was refused. */
  onEnd?(error?: ProblemError): void;
}

export interface WatchJobOptions<R = unknown, E = NoEvents> extends JobListeners<R, E> {
  /** The job's token, from the 202 response. Needed if neither a cookie nor the caller's own token grants access. */
  token?: string | undefined;
  /** The id of the last event received, to resume after it. */
  lastEventId?: string | undefined;
  /** Stops watching. The job continues. */
  signal?: AbortSignal | undefined;
  /** Continues after the job's end, so that a retry is seen. `onEnd` is then called when the job no longer exists. */
  retries?: boolean | undefined;
}

const STATES = /^(waiting|delayed|active|retrying|stalled|completed|failed|cancelled)$/;

/**
 * A job to watch, wait for, cancel or retry.
 *
 * `for await (const event of job)` yields all events so far, each once, and continues live until the job ends. It
 * reconnects after lost connections and restarts of the service.
 */
export class Job<R = unknown, E = NoEvents> implements AsyncIterable<JobEvent<R, E>> {
  declare readonly '~types'?: CarriedTypes<R, E>;
  readonly links: JobLinks;

  constructor(
    readonly service: ServiceOptions,
    private readonly pool: Pool,
    readonly id: string,
    private readonly options: WatchJobOptions<R, E> = {},
    /**
     * From the 202 response: the job's kind, its links, and whether an existing job with the same deduplication key was
     * returned.
     */
    readonly started: { name?: string; deduplicated?: boolean; links?: JobLinks } = {},
  ) {
    const self = `${rootPath(service)}v1/jobs/${id}`;
    this.links = started.links ?? {
      self,
      events: `${self}/events`,
      cancel: `${self}/cancel`,
      result: `${self}/result`,
    };
    if (Object.keys(options).some((key) => key.startsWith('on'))) this.watch(options);
  }

  get token(): string | undefined {
    return this.options.token;
  }

  /** Calls the listeners, first with past events, then live. @returns a function that removes the listeners */
  watch(listeners: JobListeners<R, E>): () => void {
    const { onProgress, onState, onEvent, onStatus, onEnd } = listeners;
    return watchTopic(this.pool, this.topic(), {
      signal: this.options.signal,
      onStatus,
      onEnd,
      onEvent: (event) => {
        callListener(onEvent, event as JobEvent<R, E>);
        if (event.event === 'progress') callListener(onProgress, event.data);
        if (STATES.test(event.event)) callListener(onState, event.event as JobState);
      },
    });
  }

  /** @throws ProblemError when the stream is refused; the signal's reason when the signal is aborted */
  [Symbol.asyncIterator](): AsyncGenerator<JobEvent<R, E>, void, undefined> {
    return iterate(this.pool, [this.topic()], (event) => event, this.options.signal) as AsyncGenerator<
      JobEvent<R, E>,
      void,
      undefined
    >;
  }

  /**
   * Waits for the job's end and returns its result.
   * @throws JobFailedError; JobCancelledError; ProblemError when the job cannot be watched; the reason of an aborted
   * signal
   */
  async result({ signal = this.options.signal }: { signal?: AbortSignal | undefined } = {}): Promise<R> {
    const topic = { ...this.topic(), lastEventId: undefined, stays: false };
    for await (const { event, data } of iterate(this.pool, [topic], (event) => event, signal)) {
      if (event === 'failed') throw new JobFailedError(this.id, data.error);
      if (event === 'cancelled') throw new JobCancelledError(this.id, data.reason);
      if (isTerminal(event)) return data.result;
    }
    // The stream has ended without the terminal event.
    const { state, result, error } = await this.get({ signal });
    if (state === 'completed') return result as R;
    if (error) throw new JobFailedError(this.id, error);
    throw new JobCancelledError(this.id, 'requested');
  }

  /** Fetches the job's current state. */
  get(options: { signal?: AbortSignal | undefined } = {}): Promise<JobView<R>> {
    return this.call('', { ...options, tries: 3 });
  }

  /** Requests cancellation. The job's `cancelled` event follows. @throws ProblemError `already-finished` */
  cancel(options: { signal?: AbortSignal | undefined } = {}): Promise<JobView<R>> {
    return this.call('/cancel', { ...options, method: 'POST', tries: 3 });
  }

  /**
   * Runs a failed or cancelled job again, under the same id. Watch it again afterwards.
   * @throws ProblemError `not-failed`
   */
  retry(options: { signal?: AbortSignal | undefined } = {}): Promise<JobView<R>> {
    return this.call('/retry', { ...options, method: 'POST' });
  }

  private async call(path: string, options: Parameters<typeof call>[2]): Promise<JobView<R>> {
    const problem = invalidIdProblem(this.id);
    if (problem) throw problem;
    const url = `v1/jobs/${encodeURIComponent(this.id)}${path}`;
    const response = await call(this.service, url, { ...options, token: this.token });
    return (await response.json()) as JobView<R>;
  }

  private topic(): Topic {
    const { token, lastEventId, retries: stays } = this.options;
    return { kind: 'job', name: this.id, token, lastEventId, stays };
  }
}
