import { backoff, pause } from './backoff.js';
import { isPassing, ProblemError, unreachable } from './errors.js';
import { createParser, type StreamEvent } from './parser.js';

/**
 * Where a connection stands: `connecting` until the first answer, `live`, `stale` while it is broken and being made
 * again (what is shown may be old), `ended` for good.
 */
export type Status = 'connecting' | 'live' | 'stale' | 'ended';

/** A heartbeat comes this much later than it was promised at most, while the service is live, in ms. */
const LATE_MS = 900;
/** What comes while this thread is busy is read in this time, before its silence is taken for that of the service, in ms. */
const READ_MS = 100;
/** A connection that is not live any more is given up for another one after this time, in ms. */
const GIVE_UP_MS = 10_000;

/** A server that asks for less is not followed; what it asks for at most is limited by the back-off. */
const MIN_RETRY_MS = 500;

export interface StreamOptions {
  /** Asks for the stream, from where it was left. @throws ProblemError when it is refused */
  connect(signal: AbortSignal): Promise<Response>;
  onEvent(event: StreamEvent): void;
  onStatus(status: Status): void;
  /** It was refused, and trying the same again would not help. Whether to go on all the same (something was changed). */
  onRefused?(error: ProblemError): Promise<boolean>;
  /** It is over: the service has said so (204), it was refused, or it was closed. */
  onEnd(error?: ProblemError): void;
  /** Without a byte for this long, not even a heartbeat, the connection is taken for dead, in ms. */
  silenceMs: number;
}

/** A stream that is made again whenever it breaks, until it has ended. */
export interface Stream {
  /** Makes the connection again at once, because something else is to be asked for. */
  restart(): void;
  close(): void;
}

export function openStream(options: StreamOptions): Stream {
  const { connect, onEvent, onStatus, onEnd, silenceMs } = options;
  let status: Status = 'connecting';
  let retry = 2000;
  let failures = 0;
  /** Within so many ms something more comes, as the last heartbeat has said, perhaps on the connection before. */
  let nextMs = 0;
  let restarting = false;
  let attempt = new AbortController();

  function become(next: Status): void {
    if (status === next || status === 'ended') return;
    status = next;
    onStatus(next);
  }

  function end(error?: ProblemError): void {
    if (status === 'ended') return;
    become('ended');
    attempt.abort();
    onEnd(error);
  }

  /** Reads a connection to its end, or to its death. */
  async function read(signal: AbortSignal): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const abortIn = (ms: number): void => {
      timer = setTimeout(() => attempt.abort(), Math.min(ms, silenceMs));
    };
    const doubt = (): void => {
      if (status === 'live') become('stale');
      abortIn(GIVE_UP_MS);
      // The next connection may be to a service that promises nothing.
      nextMs = 0;
    };
    const alive = (): void => {
      clearTimeout(timer);
      if (!nextMs) return abortIn(silenceMs);
      timer = setTimeout(() => {
        timer = setTimeout(doubt, READ_MS);
      }, nextMs + LATE_MS);
    };
    alive();
    try {
      const response = await connect(signal);
      if (response.status === 204) return end();
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
        response.body?.cancel().catch(() => {});
        throw new ProblemError({
          status: 415,
          code: 'not-a-stream',
          detail: `${response.url} is no event stream.`,
        });
      }
      let waits = false;
      const decoder = new TextDecoder();
      const feed = createParser(
        (event) => {
          failures = 0;
          waits = false;
          become('live');
          onEvent(event);
        },
        (ms) => {
          // Whoever publishes to a channel can send it: nobody makes this client spin.
          retry = Math.max(MIN_RETRY_MS, ms);
        },
        // The service cannot follow anything until Redis answers.
        (comment) => {
          const [word, ms] = comment.split(' ');
          waits = word === 'waiting';
          if (word === 'next') nextMs = Number(ms);
          if (waits && status === 'live') become('stale');
        },
      );
      const reader = response.body!.getReader();
      for (;;) {
        const { value, done } = await reader.read();
        // What is left of a connection that was given up for another one would come twice.
        if (done || signal.aborted) return;
        feed(decoder.decode(value, { stream: true }));
        alive();
        if (!waits) become('live');
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async function run(): Promise<void> {
    while (status !== 'ended') {
      restarting = false;
      attempt = new AbortController();
      let wait = 0;
      try {
        await read(attempt.signal);
      } catch (error) {
        if (!attempt.signal.aborted) {
          const problem = error instanceof ProblemError ? error : unreachable('The stream', error);
          if (isPassing(problem)) wait = Number(problem.problem.retryAfterMs ?? 0);
          else if (await options.onRefused?.(problem)) restarting = true;
          else return end(problem);
        }
      }
      if (restarting || (status as Status) === 'ended') continue;
      if (status === 'live') become('stale');
      attempt = new AbortController();
      await pause(wait + backoff(failures++, retry), attempt.signal);
    }
  }

  void run();
  return {
    restart() {
      restarting = true;
      attempt.abort();
    },
    close: () => end(),
  };
}
