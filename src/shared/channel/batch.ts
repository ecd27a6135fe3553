/** Makes a call, at once or with the next batch. */
export type Batch = (call: () => void) => void;

/**
 * Makes rare calls at once and batches frequent ones. After a call, further calls wait until `windowMs` have passed and are
 * then made in the same turn of the event loop, so that they share a pipeline to Redis. In a busy worker this saves most
 * system calls, at the cost of a delay of at most `windowMs`.
 *
 * An error in one call does not prevent the other calls in its batch. The first error is thrown after all of them.
 */
export function createBatcher(windowMs: number): Batch {
  let waiting: Array<() => void> = [];
  let windowOpen = false;

  function onWindowEnd(): void {
    const calls = waiting;
    waiting = [];
    windowOpen = calls.length > 0;
    if (windowOpen) setTimeout(onWindowEnd, windowMs);
    const errors: unknown[] = [];
    for (const call of calls) {
      try {
        call();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
  return (call) => {
    if (windowOpen) return void waiting.push(call);
    windowOpen = true;
    setTimeout(onWindowEnd, windowMs);
    call();
  };
}
