import { JobCancelledError, JobFailedError, type ProblemError } from './errors.js';
import { call, rootOf, type ServiceOptions } from './http.js';
import type { Status } from './stream.js';
import { isTerminal, type Pool, problemOfId, type Topic } from './topic.js';
import type { JobEvent, JobLinks, JobState, JobView, Progress } from './types.js';
import { iterate, tell, watchTopic } from './watch.js';

/** What can be heard of a job. */
export interface JobListeners<R = unknown> {
  /** The bar moves. */
  onProgress?(progress: Progress): void;
  /** Every event, this one too. */
  onEvent?(event: JobEvent<R>): void;
  onState?(state: JobState): void;
  /** Of the connection. */
  onStatus?(status: Status): void;
  /** No event comes any more: the job has ended, or the stream was refused. */
  onEnd?(error?: ProblemError): void;
}

export interface WatchJobOptions<R = unknown> extends JobListeners<R> {
  /** The job's token (of the 202), where neither a cookie nor the caller's own token opens it. */
  token?: string | undefined;
  /** The id of the last event that was seen, to go on from there. */
  lastEventId?: string | undefined;
  /** Ends the watching; the job goes on. */
  signal?: AbortSignal | undefined;
  /** Goes on after the end of the job, so that a retry by anybody is seen; `onEnd` comes when the job is gone. */
  retries?: boolean | undefined;
}

const STATES = /^(waiting|delayed|active|retrying|stalled|completed|failed|cancelled)$/;

/**
 * A job that can be watched, waited for and steered.
 *
 * `for await (const event of job)` gives all that has happened so far and goes on live to the end of the job, across
 * lost connections and restarts of the service. Each event comes once.
 */
export class Job<R = unknown> implements AsyncIterable<JobEvent<R>> {
  readonly links: JobLinks;

  constructor(
    readonly service: ServiceOptions,
    private readonly pool: Pool,
    readonly id: string,
    private readonly options: WatchJobOptions<R> = {},
    /** As the 202 said: its kind, its links, and that it is another one with the same deduplication key. */
    readonly started: { name?: string; deduplicated?: boolean; links?: JobLinks } = {},
  ) {
    const self = `${rootOf(service)}v1/jobs/${id}`;
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

  /** Calls the listeners from now on, first with what has been. @returns ends it */
  watch(listeners: JobListeners<R>): () => void {
    const { onProgress, onState, onEvent, onStatus, onEnd } = listeners;
    return watchTopic(this.pool, this.topic(), {
      signal: this.options.signal,
      onStatus,
      onEnd,
      onEvent: (event) => {
        tell(onEvent, event as JobEvent<R>);
        if (event.event === 'progress') tell(onProgress, event.data);
        if (STATES.test(event.event)) tell(onState, event.event as JobState);
      },
    });
  }

  /** @throws ProblemError when the stream is refused; the reason of the signal when that is aborted */
  [Symbol.asyncIterator](): AsyncGenerator<JobEvent<R>, void, undefined> {
    return iterate(this.pool, [this.topic()], (event) => event, this.options.signal) as AsyncGenerator<
      JobEvent<R>,
      void,
      undefined
    >;
  }

  /**
   * Waits for the end.
   * @throws JobFailedError, JobCancelledError; ProblemError when it cannot be watched; the reason of a signal
   */
  async result({ signal = this.options.signal }: { signal?: AbortSignal | undefined } = {}): Promise<R> {
    const topic = { ...this.topic(), lastEventId: undefined, stays: false };
    for await (const { event, data } of iterate(this.pool, [topic], (event) => event, signal)) {
      if (event === 'failed') throw new JobFailedError(this.id, data.error);
      if (event === 'cancelled') throw new JobCancelledError(this.id, data.reason);
      if (isTerminal(event)) return data.result;
    }
    // The connection was told that there is nothing more, but not what it came to.
    const { state, result, error } = await this.get({ signal });
    if (state === 'completed') return result as R;
    if (error) throw new JobFailedError(this.id, error);
    throw new JobCancelledError(this.id, 'requested');
  }

  /** The job as it is now. */
  get(options: { signal?: AbortSignal | undefined } = {}): Promise<JobView<R>> {
    return this.call('', { ...options, tries: 3 });
  }

  /** Asks for its end, which comes as an event. @throws ProblemError `already-finished` */
  cancel(options: { signal?: AbortSignal | undefined } = {}): Promise<JobView<R>> {
    return this.call('/cancel', { ...options, method: 'POST', tries: 3 });
  }

  /** Runs it again after it has failed or was cancelled, under the same id. Watch it anew. @throws ProblemError `not-failed` */
  retry(options: { signal?: AbortSignal | undefined } = {}): Promise<JobView<R>> {
    return this.call('/retry', { ...options, method: 'POST' });
  }

  private async call(path: string, options: Parameters<typeof call>[2]): Promise<JobView<R>> {
    const problem = problemOfId(this.id);
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
