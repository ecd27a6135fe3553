import { unreachable } from './errors.js';
import type { ServiceOptions } from './http.js';
import type { Pool } from './topic.js';

/** A pool of this thread whose code is loaded when it is needed: in a page with a shared worker, it is not. */
export function createLazyPool(service: ServiceOptions, silenceMs: number): Pool {
  let loading: Promise<Pool> | undefined;
  return {
    follow(topic, listener) {
      let left = false;
      let leave = (): void => {
        left = true;
      };
      loading ??= import('./pool.js').then(({ createPool }) => createPool(service, silenceMs));
      loading.then(
        (pool) => {
          if (!left) leave = pool.follow(topic, listener);
        },
        (error) => {
          // The next one may have more luck.
          loading = undefined;
          listener.onEnd(unreachable('The code of the client', error));
        },
      );
      return () => leave();
    },
  };
}
