import { backoff, pause } from './backoff.js';
import { isPassing, ProblemError, unreachable } from './errors.js';
import { createParser, type StreamEvent } from './parser.js';

/**
 * The state of a connection: `connecting` before the first response, `live`, `stale` while it is being re-established
 * (what is shown may be outdated), `ended` for good.
 */
export type Status = 'connecting' | 'live' | 'stale' | 'ended';

/** How late a promised heartbeat may arrive while the service is live, in ms. */
const LATE_MS = 900;
/** Extra time before a late heartbeat counts as missing, in ms: a busy thread may not have read it yet. */
const READ_MS = 100;
/** How long a connection may stay silent before it is replaced, in ms. */
const GIVE_UP_MS = 10_000;

/** The shortest reconnection time accepted from a server, in ms. The backoff limits the longest. */
const MIN_RETRY_MS = 500;

export interface StreamOptions {
  /** Requests the stream, from the last position. @throws ProblemError when the stream is refused */
  connect(signal: AbortSignal): Promise<Response>;
  onEvent(event: StreamEvent): void;
  onStatus(status: Status): void;
  /** Called when the stream was refused for good. Resolves to `true` to request it again, after a change. */
  onRefused?(error: ProblemError): Promise<boolean>;
  /** Called when the stream has ended: by the service (204), by a refusal, or by `close`. */
  onEnd(error?: ProblemError): void;
  /** A connection that receives no byte, not even a heartbeat, for this long counts as dead, in ms. */
  silenceMs: number;
}

/** A stream that reconnects until it has ended. */
export interface Stream {
  /** Reconnects at once, because the request has changed. */
  restart(): void;
  close(): void;
}

export function openStream(options: StreamOptions): Stream {
  const { connect, onEvent, onStatus, onEnd, silenceMs } = options;
  let status: Status = 'connecting';
  let retry = 2000;
  let failures = 0;
  /** The time until the next data, in ms, as the last heartbeat promised; it may belong to the previous connection. */
  let nextMs = 0;
  let restarting = false;
  let attempt = new AbortController();

  function setStatus(next: Status): void {
    if (status === next || status === 'ended') return;
    status = next;
    onStatus(next);
  }

  function end(error?: ProblemError): void {
    if (status === 'ended') return;
    setStatus('ended');
    attempt.abort();
    onEnd(error);
  }

  /** Reads a connection until it ends or counts as dead. */
  async function read(signal: AbortSignal): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const abortIn = (ms: number): void => {
      timer = setTimeout(() => attempt.abort(), Math.min(ms, silenceMs));
    };
    const handleSilence = (): void => {
      if (status === 'live') setStatus('stale');
      abortIn(GIVE_UP_MS);
      // The next connection may be to a service that promises no heartbeats.
      nextMs = 0;
    };
    const resetTimer = (): void => {
      clearTimeout(timer);
      if (!nextMs) return abortIn(silenceMs);
      timer = setTimeout(() => {
        timer = setTimeout(handleSilence, READ_MS);
      }, nextMs + LATE_MS);
    };
    resetTimer();
    try {
      const response = await connect(signal);
      if (response.status === 204) return end();
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
        response.body?.cancel().catch(() => {});
        throw new ProblemError({
          status: 415,
          code: 'not-a-stream',
          detail: `${response.url} is not an event stream.`,
        });
      }
      let isWaiting = false;
      const decoder = new TextDecoder();
      const feed = createParser(
        (event) => {
          failures = 0;
          isWaiting = false;
          setStatus('live');
          onEvent(event);
        },
        (ms) => {
          // Any publisher of a channel can send this; it must not make the client reconnect in a loop.
          retry = Math.max(MIN_RETRY_MS, ms);
        },
        // `waiting`: the service cannot follow anything until Redis responds.
        (comment) => {
          const [word, ms] = comment.split(' ');
          isWaiting = word === 'waiting';
          if (word === 'next') nextMs = Number(ms);
          if (isWaiting && status === 'live') setStatus('stale');
        },
      );
      const reader = response.body?.getReader();
      while (reader) {
        const { value, done } = await reader.read();
        // Data left on an aborted connection would be delivered twice.
        if (done || signal.aborted) return;
        feed(decoder.decode(value, { stream: true }));
        resetTimer();
        if (!isWaiting) setStatus('live');
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
          const problem = error instanceof ProblemError ? error : unreachable('the stream', error);
          if (isPassing(problem)) wait = Number(problem.problem.retryAfterMs ?? 0);
          else if (await options.onRefused?.(problem)) restarting = true;
          else return end(problem);
        }
      }
      if (restarting || (status as Status) === 'ended') continue;
      if (status === 'live') setStatus('stale');
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
