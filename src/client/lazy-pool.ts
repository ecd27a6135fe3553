import { unreachable } from './errors.js';
import type { ServiceOptions } from './http.js';
import type { Patience } from './stream.js';
import type { Pool } from './topic.js';

/** A pool in this thread. Its code is loaded on first use; a page with a shared worker never needs it. */
export function createLazyPool(service: ServiceOptions, patience: Patience): Pool {
  let loading: Promise<Pool> | undefined;
  return {
    follow(topic, listener) {
      let left = false;
      let leave = (): void => {
        left = true;
      };
      loading ??= import('./pool.js').then(({ createPool }) => createPool(service, patience));
      loading.then(
        (pool) => {
          if (!left) leave = pool.follow(topic, listener);
        },
        (error) => {
          // The next call may succeed.
          loading = undefined;
          listener.onEnd(unreachable('the code of the client', error));
        },
      );
      return () => leave();
    },
  };
}
