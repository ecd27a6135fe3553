import { backoff, onWake, pause } from './backoff.js';
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
/** A connection that was silent for this much longer than its timers allow is replaced at once: the page was asleep, in ms. */
const ASLEEP_MS = 500;
/** How long the first request after a loss may bring no byte, in ms. It often uses another connection that is dead. */
const SUSPECT_MS = 600;
/** The same after a page was asleep, which happens to few pages at once, and how many requests are tried without a delay. */
const AWAKE_MS = 300;
const AWAKE_TRIES = 5;

/** The shortest reconnection time accepted from a server, in ms. The backoff limits the longest. */
const MIN_RETRY_MS = 500;

/** How long a poll waits for an event, in seconds. What is shown must not be older than five seconds. */
const POLL_S = 3;
/** The shortest time from the beginning of one poll to the next, in ms. */
const POLL_MS = 1000;
/** How long a client polls before it tries a stream again, in ms: at first and at most. */
const POLLING_MS = { first: 30_000, max: 600_000 };
/** A stream that ends sooner than this was cut, in ms. After this many in a row, the client polls. */
const CUT_MS = 10_000;
const MAX_CUTS = 3;

/** How long a client waits for a connection. */
export interface Patience {
  /** A connection that receives no byte, not even a heartbeat, for this long counts as dead, in ms. */
  silenceMs: number;
  /** A stream whose first byte takes longer than this, in ms, is withheld. 0 opens no stream where polls can replace it. */
  mutedMs: number;
}

export interface StreamOptions extends Patience {
  /**
   * Requests the stream, from the last position.
   * @param waitS polls instead: the answer ends after the first events, or after this many seconds
   * @throws ProblemError when the stream is refused
   */
  connect(signal: AbortSignal, waitS?: number): Promise<Response>;
  /** Whether polls can replace the stream. */
  canPoll: boolean;
  onEvent(event: StreamEvent): void;
  /** Called at the end of a poll, with the id from which the next one continues. */
  onPosition(id: string): void;
  onStatus(status: Status): void;
  /** Called when the stream was refused for good. Resolves to `true` to request it again, after a change. */
  onRefused?(error: ProblemError): Promise<boolean>;
  /** Called when the stream has ended: by the service (204), by a refusal, or by `close`. */
  onEnd(error?: ProblemError): void;
}

/** A stream that reconnects until it has ended. */
export interface Stream {
  /** Reconnects at once, because the request has changed. */
  restart(): void;
  close(): void;
}

export function openStream(options: StreamOptions): Stream {
  const { connect, canPoll, onEvent, onStatus, onEnd, silenceMs, mutedMs } = options;
  let status: Status = 'connecting';
  let retry = 2000;
  let failures = 0;
  /** The time until the next data, in ms, as the last heartbeat promised; it may belong to the previous connection. */
  let nextMs = 0;
  let restarting = false;
  /** When the last byte arrived, or the last request was sent. Not the monotonic clock, which stops while a computer sleeps. */
  let heardAt = 0;
  /** Whether the present request has brought a byte. */
  let heard = false;
  const maxPatienceMs = Math.max(mutedMs, GIVE_UP_MS);
  const firstPatienceMs = (canPoll && mutedMs) || maxPatienceMs;
  /** How long the next request may bring no byte, in ms. */
  let patienceMs = firstPatienceMs;
  /** Until when the client polls, and for how long the next time, in ms. */
  let pollUntil = canPoll && !mutedMs ? Number.POSITIVE_INFINITY : 0;
  let pollingMs = POLLING_MS.first;
  let cuts = 0;
  /** How many requests may be tried without a delay. */
  let tries = 0;
  let attempt = new AbortController();

  function setStatus(next: Status): void {
    if (status === next || status === 'ended') return;
    status = next;
    onStatus(next);
  }

  function end(error?: ProblemError): void {
    if (status === 'ended') return;
    setStatus('ended');
    stopListening();
    attempt.abort();
    onEnd(error);
  }

  /** Reads a connection until it ends or counts as dead. @param waitS polls, with this wait */
  async function read(signal: AbortSignal, waitS: number | undefined): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const after = (ms: number, then: () => void): void => {
      clearTimeout(timer);
      timer = setTimeout(then, ms);
    };
    const abort = (): void => attempt.abort();
    const handleSilence = (): void => {
      const wasAsleep = Date.now() - heardAt > nextMs + LATE_MS + READ_MS + ASLEEP_MS;
      if (status === 'live') setStatus('stale');
      // The next connection may be to a service that promises no heartbeats.
      nextMs = 0;
      patienceMs = SUSPECT_MS;
      after(Math.min(GIVE_UP_MS, silenceMs), abort);
      if (wasAsleep) wake();
    };
    const resetTimer = (): void => {
      if (nextMs) after(nextMs + LATE_MS, () => after(READ_MS, handleSilence));
      else after(silenceMs, abort);
    };
    heard = false;
    heardAt = Date.now();
    if (!waitS) after(Math.min(patienceMs, silenceMs), abort);
    else
      after((waitS + 1) * 1000, () => {
        if (status === 'live') setStatus('stale');
        after(patienceMs, abort);
      });
    try {
      const response = await connect(signal, waitS);
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
        options.onPosition,
      );
      for await (const text of piecesOf(response)) {
        // Data left on an aborted connection would be delivered twice.
        if (signal.aborted) return;
        heard = true;
        heardAt = Date.now();
        feed(text);
        if (waitS === undefined) resetTimer();
        if (!isWaiting) setStatus('live');
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Polls from now on, and tries a stream again later. Not all clients at the same time. */
  function startPolling(): void {
    pollUntil = Date.now() + pollingMs * (0.75 + Math.random() / 2);
    pollingMs = Math.min(pollingMs * 2, POLLING_MS.max);
    cuts = 0;
  }

  /** Draws conclusions from a stream that has ended, without a refusal. */
  function judge(startedAt: number): void {
    const isMuted = !heard && attempt.signal.aborted;
    const lived = Date.now() - startedAt;
    if (lived > CUT_MS) {
      cuts = 0;
      pollingMs = POLLING_MS.first;
    } else if (!isMuted) cuts++;
    if (canPoll && (isMuted || cuts >= MAX_CUTS)) startPolling();
  }

  async function run(): Promise<void> {
    /** Whether the previous request was a poll that was answered. */
    let polled = false;
    while (status !== 'ended') {
      restarting = false;
      attempt = new AbortController();
      const startedAt = Date.now();
      const isPoll = canPoll && startedAt < pollUntil;
      let wait = 0;
      try {
        // The first answer of a poll is what there is now.
        await read(attempt.signal, isPoll ? (polled ? POLL_S : 0) : undefined);
        polled = isPoll && !attempt.signal.aborted;
        if (!restarting && !isPoll) judge(startedAt);
      } catch (error) {
        polled = false;
        if (attempt.signal.aborted || heard) {
          if (!restarting && !isPoll) judge(startedAt);
        } else {
          const problem = error instanceof ProblemError ? error : unreachable('the stream', error);
          if (isPassing(problem)) wait = Number(problem.problem.retryAfterMs ?? 0);
          else if (await options.onRefused?.(problem)) restarting = true;
          else return end(problem);
        }
      }
      if (restarting || (status as Status) === 'ended') continue;
      if (heard) {
        tries = 0;
        patienceMs = firstPatienceMs;
      } else if (tries > 0 && attempt.signal.aborted) {
        tries--;
        continue;
      } else patienceMs = Math.min(patienceMs * 2, maxPatienceMs);
      if (polled) {
        failures = 0;
        const restMs = startedAt + POLL_MS - Date.now();
        attempt = new AbortController();
        if (restMs > 0) await pause(restMs, attempt.signal);
        continue;
      }
      if (isPoll) {
        // A poll without an answer says nothing about streams. One that the service refuses for now got through.
        if (!wait && mutedMs) pollUntil = 0;
      }
      // What a stream withholds, a poll brings at once.
      else if (Date.now() < pollUntil) continue;
      if (status === 'live') setStatus('stale');
      attempt = new AbortController();
      await pause(wait + backoff(failures++, retry), attempt.signal);
    }
  }

  /** Reconnects at once if the page was asleep or cut off for so long that the connection may be dead. */
  const stopListening = onWake(() => {
    if (
      globalThis.document?.hidden ||
      Date.now() - heardAt < (nextMs || GIVE_UP_MS) + LATE_MS + READ_MS + ASLEEP_MS
    )
      return;
    wake();
  });

  function wake(): void {
    if (status === 'live') setStatus('stale');
    patienceMs = AWAKE_MS;
    tries = AWAKE_TRIES;
    restart();
  }

  function restart(): void {
    restarting = true;
    attempt.abort();
  }

  void run();
  return {
    restart,
    close: () => end(),
  };
}

/** Reads a body as it arrives. React Native has only whole bodies. */
async function* piecesOf(response: Response): AsyncGenerator<string, void, undefined> {
  const reader = response.body?.getReader();
  if (!reader) return void (yield await response.text());
  const decoder = new TextDecoder();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield decoder.decode(value, { stream: true });
  }
}
