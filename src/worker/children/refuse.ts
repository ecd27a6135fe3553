import { PermanentError } from '../../shared/errors.js';

/** What `ctx.child` does where a job can have no children: in a thread, whose bar is made there and not here. */
export const refuseChild = (): Promise<never> =>
  Promise.reject(
    new PermanentError('a job with `thread: true` cannot start children: let a job without it start both'),
  );
