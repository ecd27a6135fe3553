import { type Problem, ProblemError } from './errors.js';
import { baseOf, type ServiceOptions } from './http.js';
import { createLazyPool } from './lazy-pool.js';
import type { StreamEvent } from './parser.js';
import type { Status } from './stream.js';
import type { Listener, Pool, Topic } from './topic.js';

/** The shared worker has to answer within this time, in ms; where its script cannot be loaded it never does. */
const PATIENCE_MS = 3000;

/** What a page says to the shared worker. */
export type ToWorker =
  /** First of all: whom it serves. */
  | { hello: { service: ServiceOptions; silenceMs: number } }
  /** The name of a lock that this page holds while it lives. */
  | { lock: string }
  | { follow: Topic; n: number }
  /** `seen`: whether this page is in sight. It comes with a number that nothing has: an earlier version passes it over. */
  | { leave: number; seen?: boolean }
  | { bye: true };

/** What the shared worker says to a page. `n` is the number that the page gave. */
export type ToPage =
  /** The name of a lock that the worker holds while it lives; empty where there are none. */
  | { ready: string }
  | { n: number; event: StreamEvent }
  | { n: number; status: Status }
  | { n: number; end: Problem | null };

/**
 * Follows topics through the shared worker, which holds one connection for all tabs of this origin that present
 * themselves to the service in the same way. Where it does not come up, this tab has a connection of its own.
 * @returns `undefined` where there can be none
 */
export function createSharedPool(
  options: ServiceOptions & { shared?: boolean },
  silenceMs: number,
): Pool | undefined {
  const { shared = true, fetch, token, headers, credentials } = options;
  if (!shared || fetch || typeof token === 'function' || typeof headers === 'function') return undefined;
  if (typeof SharedWorker === 'undefined') return undefined;
  let pool: Pool | undefined;
  return {
    follow(topic, listener) {
      const service = { url: baseOf(options), token, headers, credentials };
      pool ??= connect(service, silenceMs);
      return pool.follow(topic, listener);
    },
  };
}

interface Following {
  topic: Topic;
  listener: Listener;
  /** Ends it, once this tab has a connection of its own. */
  leave?: () => void;
}

function connect(service: ServiceOptions, silenceMs: number): Pool {
  const followed = new Map<number, Following>();
  let count = 0;
  let port: MessagePort | undefined;
  let own: Pool | undefined;
  const say = (message: ToWorker): void => port?.postMessage(message);
  const timer = setTimeout(fallBack, PATIENCE_MS);

  try {
    const worker = new SharedWorker(new URL('./shared-worker.js', import.meta.url), {
      type: 'module',
      name: 'headway',
    });
    worker.onerror = fallBack;
    port = worker.port;
    port.onmessage = ({ data }) => take(data);
    say({ hello: { service, silenceMs } });
    const lock = `headway-${Math.random()}`;
    // Held for as long as this page lives, however it ends. (Where there are no locks, it says goodbye.)
    void navigator.locks?.request(lock, () => {
      say({ lock });
      return new Promise(() => {});
    });
    const look = (): void => say({ leave: -1, seen: document.visibilityState === 'visible' });
    look();
    addEventListener('visibilitychange', look);
    addEventListener('pagehide', () => say({ bye: true }));
    // Back from the cache of pages: the worker has forgotten it.
    addEventListener('pageshow', ({ persisted }) => {
      if (persisted) for (const [n, { topic }] of followed) say({ follow: topic, n });
    });
  } catch {
    fallBack();
  }

  function take(message: ToPage): void {
    if ('ready' in message) {
      clearTimeout(timer);
      // Given to us when the worker is gone, which should not be.
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
    if (own) return;
    clearTimeout(timer);
    say({ bye: true });
    port?.close();
    const pool = createLazyPool(service, silenceMs);
    own = pool;
    for (const following of followed.values()) {
      following.leave = pool.follow(following.topic, following.listener);
    }
  }

  return {
    follow(given, listener) {
      if (own) return own.follow(given, listener);
      const topic = { ...given };
      const n = count++;
      const following: Following = { topic, listener };
      followed.set(n, following);
      say({ follow: topic, n });
      return () => {
        following.leave?.();
        if (followed.delete(n)) say({ leave: n });
      };
    },
  };
}
