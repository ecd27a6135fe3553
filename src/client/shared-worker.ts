import { visibility } from './backoff.js';
import { createPool } from './pool.js';
import type { ToPage, ToWorker } from './shared-pool.js';
import type { Pool } from './topic.js';

/** Pools by service and credentials. */
const pools = new Map<string, Pool>();

/**
 * The name of a lock that is held while this worker runs, so that pages notice when it stops. Resolves once the lock is
 * held, because otherwise a page could acquire it first. Empty if the browser has no locks.
 */
const held = new Promise<string>((resolve) => {
  const lock = `headway-worker-${Math.random()}`;
  if (!navigator.locks) return resolve('');
  void navigator.locks.request(lock, () => {
    resolve(lock);
    return new Promise(() => {});
  });
});

/** The visible tabs. */
const seen = new Set<MessagePort>();
visibility.isVisible = () => seen.size > 0;

/** The shared worker: one for all tabs of an origin. Each tab has a port. */
addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports;
  if (!port) return;
  const leaves = new Map<number, () => void>();
  let pool: Pool | undefined;
  const send = (message: ToPage): void => port.postMessage(message);
  const leaveAll = (): void => {
    for (const leave of leaves.values()) leave();
    leaves.clear();
    seen.delete(port);
  };

  port.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if ('hello' in data) {
      const { service, ...patience } = data.hello;
      const key = JSON.stringify([service, patience]);
      pool = pools.get(key) ?? createPool(service, patience);
      pools.set(key, pool);
      void held.then((lock) => send({ ready: lock }));
    } else if ('lock' in data) {
      // The worker gets the lock when the tab has closed.
      void navigator.locks.request(data.lock, leaveAll);
    } else if ('follow' in data) {
      const { follow: topic, n } = data;
      const leave = pool?.follow(topic, {
        onEvent: (event) => send({ n, event }),
        onStatus: (status) => send({ n, status }),
        onEnd: (error) => {
          leaves.delete(n);
          send({ n, end: error?.problem ?? null });
        },
      });
      if (leave) leaves.set(n, leave);
    } else if ('leave' in data) {
      leaves.get(data.leave)?.();
      leaves.delete(data.leave);
      if (data.seen) {
        seen.add(port);
        // A visible tab reconnects at once: see `onWake`.
        dispatchEvent(new Event('online'));
      } else if (data.seen === false) seen.delete(port);
    } else leaveAll();
  };
});
