import { onWake } from './backoff.js';
import { type Problem, ProblemError } from './errors.js';
import { baseUrl, type ServiceOptions } from './http.js';
import { createLazyPool } from './lazy-pool.js';
import type { StreamEvent } from './parser.js';
import type { Patience, Status } from './stream.js';
import type { Listener, Pool, Topic } from './topic.js';

/** How long to wait for the shared worker, in ms. If its script cannot be loaded, it never responds. */
const READY_TIMEOUT_MS = 3000;

/** Messages from a page to the shared worker. */
export type ToWorker =
  /** The first message: the service to connect to. */
  | { hello: { service: ServiceOptions } & Patience }
  /** The name of a lock that this page holds while it is open. */
  | { lock: string }
  | { follow: Topic; n: number }
  /**
   * `seen`: whether this page is visible. Sent with an unused number, so that older versions of the worker ignore it.
   */
  | { leave: number; seen?: boolean }
  | { bye: true };

/** Messages from the shared worker to a page. `n` is the number that the page assigned. */
export type ToPage =
  /** The name of a lock that the worker holds while it runs; empty if the browser has no locks. */
  | { ready: string }
  | { n: number; event: StreamEvent }
  | { n: number; status: Status }
  | { n: number; end: Problem | null };

/**
 * Follows topics through the shared worker. It holds one connection for all tabs of this origin with the same service
 * and credentials. If the worker does not start, this tab uses its own connection.
 * @returns `undefined` if a shared worker cannot be used
 */
export function createSharedPool(
  options: ServiceOptions & { shared?: boolean },
  patience: Patience,
): Pool | undefined {
  const { shared = true, fetch, token, headers, credentials } = options;
  if (!shared || fetch || typeof token === 'function' || typeof headers === 'function') return undefined;
  if (typeof SharedWorker === 'undefined') return undefined;
  let pool: Pool | undefined;
  return {
    follow(topic, listener) {
      const service = { url: baseUrl(options), token, headers, credentials };
      pool ??= connect(service, patience);
      return pool.follow(topic, listener);
    },
  };
}

interface Following {
  topic: Topic;
  listener: Listener;
  /** Stops following on this tab's own connection. Set once the tab uses one. */
  leave?: () => void;
}

function connect(service: ServiceOptions, patience: Patience): Pool {
  const followed = new Map<number, Following>();
  let count = 0;
  let port: MessagePort | undefined;
  let ownPool: Pool | undefined;
  const send = (message: ToWorker): void => port?.postMessage(message);
  const timer = setTimeout(fallBack, READY_TIMEOUT_MS);

  try {
    const worker = new SharedWorker(new URL('./shared-worker.js', import.meta.url), {
      type: 'module',
      name: 'headway',
    });
    worker.onerror = fallBack;
    port = worker.port;
    port.onmessage = ({ data }) => handleMessage(data);
    send({ hello: { service, ...patience } });
    const lock = `headway-${Math.random()}`;
    // Held until this page closes, however it closes. (Without locks, the page sends `bye`.)
    void navigator.locks?.request(lock, () => {
      send({ lock });
      return new Promise(() => {});
    });
    const sendVisibility = (): void => send({ leave: -1, seen: document.visibilityState === 'visible' });
    sendVisibility();
    // The worker cannot see that the page was asleep.
    onWake(sendVisibility);
    addEventListener('pagehide', () => send({ bye: true }));
    // Restored from the back/forward cache: the worker has forgotten this page.
    addEventListener('pageshow', ({ persisted }) => {
      if (persisted) for (const [n, { topic }] of followed) send({ follow: topic, n });
    });
  } catch {
    fallBack();
  }

  function handleMessage(message: ToPage): void {
    if ('ready' in message) {
      clearTimeout(timer);
      // This page gets the lock only if the worker has stopped, which is not expected.
      if (message.ready) void navigator.locks.request(message.ready, fallBack);
      return;
    }
    const following = followed.get(message.n);
    if (!following) return;
    const { listener, topic } = following;
    if ('event' in message) {
      topic.lastEventId = message.event.id;
      listener.onEvent(message.event);
    } else if ('status' in message) listener.onStatus(message.status);
    else {
      followed.delete(message.n);
      listener.onEnd(message.end ? new ProblemError(message.end) : undefined);
    }
  }

  function fallBack(): void {
    if (ownPool) return;
    clearTimeout(timer);
    send({ bye: true });
    port?.close();
    const pool = createLazyPool(service, patience);
    ownPool = pool;
    for (const following of followed.values()) {
      following.leave = pool.follow(following.topic, following.listener);
    }
  }

  return {
    follow(given, listener) {
      if (ownPool) return ownPool.follow(given, listener);
      const topic = { ...given };
      const n = count++;
      const following: Following = { topic, listener };
      followed.set(n, following);
      send({ follow: topic, n });
      return () => {
        following.leave?.();
        if (followed.delete(n)) send({ leave: n });
      };
    },
  };
}
