import { sight } from './backoff.js';
import { createPool } from './pool.js';
import type { ToPage, ToWorker } from './shared-pool.js';
import type { Pool } from './topic.js';

/** Pools by whom they serve and how they present themselves to it. */
const pools = new Map<string, Pool>();

/**
 * A lock that is held for as long as this worker lives, so that pages learn when it does not. It is told when it is held,
 * not before: else a page could get it first. Empty where there are no locks.
 */
const held = new Promise<string>((resolve) => {
  const lock = `headway-worker-${Math.random()}`;
  if (!navigator.locks) return resolve('');
  void navigator.locks.request(lock, () => {
    resolve(lock);
    return new Promise(() => {});
  });
});

/** The tabs that are in sight. */
const seen = new Set<MessagePort>();
sight.isSeen = () => seen.size > 0;

/** The shared worker: one for all tabs of an origin. Each tab has a port. */
addEventListener('connect', (event) => {
  const port = (event as MessageEvent).ports[0]!;
  const leaves = new Map<number, () => void>();
  let pool: Pool | undefined;
  const say = (message: ToPage): void => port.postMessage(message);
  const leaveAll = (): void => {
    for (const leave of leaves.values()) leave();
    leaves.clear();
    seen.delete(port);
  };

  port.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if ('hello' in data) {
      const { service, silenceMs } = data.hello;
      const key = JSON.stringify([service, silenceMs]);
      pool = pools.get(key) ?? createPool(service, silenceMs);
      pools.set(key, pool);
      void held.then((lock) => say({ ready: lock }));
    } else if ('lock' in data) {
      // Given to us when the tab is gone.
      void navigator.locks.request(data.lock, leaveAll);
    } else if ('follow' in data) {
      const { follow: topic, n } = data;
      const leave = pool!.follow(topic, {
        onEvent: (event) => say({ n, event }),
        onStatus: (status) => say({ n, status }),
        onEnd: (error) => {
          leaves.delete(n);
          say({ n, end: error?.problem ?? null });
        },
      });
      leaves.set(n, leave);
    } else if ('leave' in data) {
      leaves.get(data.leave)?.();
      leaves.delete(data.leave);
      if (data.seen) {
        seen.add(port);
        // Whoever comes back to a tab does not wait: see `pause`.
        dispatchEvent(new Event('online'));
      } else if (data.seen === false) seen.delete(port);
    } else leaveAll();
  };
});
