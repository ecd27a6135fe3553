import type { ProblemError } from './errors.js';
import type { StreamEvent } from './parser.js';
import { createQueue } from './queue.js';
import type { Status } from './stream.js';
import { invalidIdProblem, type Pool, type Topic } from './topic.js';

/** An event with its data parsed. */
export interface ReadEvent {
  event: string;
  id: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: the types of jobs and channels describe the data
  data: any;
}

/** Listeners of a topic. */
export interface WatchOptions<E> {
  onEvent?: ((event: E) => void) | undefined;
  onStatus?: ((status: Status) => void) | undefined;
  /** Called when watching has ended, on its own or because of `signal`. */
  onEnd?: ((error?: ProblemError) => void) | undefined;
  /** Stops watching. */
  signal?: AbortSignal | undefined;
}

/** Calls a listener. An error that it throws is reported asynchronously and does not break the connection. */
export function callListener<A extends unknown[]>(
  listener: ((...args: A) => void) | undefined,
  ...args: A
): void {
  try {
    listener?.(...args);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Parses data as JSON. Data that is not JSON, or marked as text, stays a string. */
function parseData({ data, text }: StreamEvent): unknown {
  if (text) return data;
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

/** Follows one topic for one listener. @returns a function that stops following */
export function watchTopic(pool: Pool, topic: Topic, options: WatchOptions<ReadEvent>): () => void {
  const { signal } = options;
  let status: Status = 'connecting';
  const setStatus = (next: Status): void => {
    if (status === next || status === 'ended') return;
    status = next;
    callListener(options.onStatus, next);
  };
  const end = (error?: ProblemError): void => {
    if (status === 'ended') return;
    signal?.removeEventListener('abort', stop);
    setStatus('ended');
    callListener(options.onEnd, error);
  };
  const problem = topic.kind === 'job' ? invalidIdProblem(topic.name) : undefined;
  if (problem) {
    // Asynchronously, like every other refusal: by then the caller has the function that stops following.
    queueMicrotask(() => end(problem));
    return () => end();
  }
  const leave = pool.follow(topic, {
    onEvent: (event) => {
      const { event: name, id } = event;
      if (status !== 'ended') callListener(options.onEvent, { event: name, id, data: parseData(event) });
    },
    onStatus: setStatus,
    onEnd: end,
  });
  function stop(): void {
    leave();
    end();
  }
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  return stop;
}

/** Yields the events of topics as they arrive, for `for await`. A slow reader skips all but the newest progress. */
export async function* iterate<E extends ReadEvent>(
  pool: Pool,
  topics: Topic[],
  form: (event: ReadEvent, topic: Topic) => E,
  signal?: AbortSignal,
): AsyncGenerator<E, void, undefined> {
  const queue = createQueue<E>();
  let open = topics.length;
  const stops = topics.map((topic) =>
    watchTopic(pool, topic, {
      signal,
      onEvent: (event) =>
        queue.push(
          form(event, topic),
          topic.kind === 'job' && event.event === 'progress'
            ? (earlier) => earlier.event === 'progress'
            : undefined,
        ),
      onEnd: (error) => {
        if (error || signal?.aborted || --open === 0) queue.end(signal?.aborted ? signal.reason : error);
      },
    }),
  );
  try {
    yield* queue.read();
  } finally {
    for (const stop of stops) stop();
  }
}
