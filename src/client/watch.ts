import type { ProblemError } from './errors.js';
import type { StreamEvent } from './parser.js';
import { createQueue } from './queue.js';
import type { Status } from './stream.js';
import { type Pool, problemOfId, type Topic } from './topic.js';

/** An event with its data read. */
export interface ReadEvent {
  event: string;
  id: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent; the types of jobs and channels say what
  data: any;
}

/** What can be heard of a topic while it is watched. */
export interface WatchOptions<E> {
  onEvent?: ((event: E) => void) | undefined;
  onStatus?: ((status: Status) => void) | undefined;
  /** It is over, by itself or because of this. */
  onEnd?: ((error?: ProblemError) => void) | undefined;
  /** Ends the watching. */
  signal?: AbortSignal | undefined;
}

/** Calls a function of the user's: what it throws is no matter of the connection's, but is not lost either. */
export function tell<A extends unknown[]>(listener: ((...args: A) => void) | undefined, ...args: A): void {
  try {
    listener?.(...args);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Data as JSON where it is JSON and not marked as text, else as the text it is. */
function read({ data, text }: StreamEvent): unknown {
  if (text) return data;
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

/** Follows one topic for one listener. @returns ends it */
export function watchTopic(pool: Pool, topic: Topic, options: WatchOptions<ReadEvent>): () => void {
  const { signal } = options;
  let status: Status = 'connecting';
  const become = (next: Status): void => {
    if (status === next || status === 'ended') return;
    status = next;
    tell(options.onStatus, next);
  };
  const end = (error?: ProblemError): void => {
    if (status === 'ended') return;
    signal?.removeEventListener('abort', stop);
    become('ended');
    tell(options.onEnd, error);
  };
  const problem = topic.kind === 'job' ? problemOfId(topic.name) : undefined;
  if (problem) {
    // Later, as every other refusal comes: whoever watches has what ends it by then.
    queueMicrotask(() => end(problem));
    return () => end();
  }
  const leave = pool.follow(topic, {
    onEvent: (event) => {
      const { event: name, id } = event;
      if (status !== 'ended') tell(options.onEvent, { event: name, id, data: read(event) });
    },
    onStatus: become,
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

/** The events of topics as they come, for a `for await`. A slow reader gets the newest progress only. */
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
