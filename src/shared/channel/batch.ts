/** A call to make. A returned promise settles when the call is done. */
export type BatchedCall = () => Promise<unknown> | undefined;

/** Makes a call, at once or with the next batch. */
export type Batch = (call: BatchedCall) => void;

/**
 * Makes rare calls at once and batches frequent ones (group commit). After a call, further calls wait until it is done and
 * `windowMs` have passed, and are then made in the same turn of the event loop, so that they share a pipeline to Redis. In a
 * busy worker this saves most system calls, at the cost of a delay of at most `windowMs` or one round trip.
 *
 * An error in one call does not prevent the other calls in its batch. The first error is thrown after all of them.
 */
export function createBatcher(windowMs: number): Batch {
  let waiting: BatchedCall[] = [];
  /** How many calls and timers the next batch waits for. */
  let pending = 0;

  function make(calls: BatchedCall[]): void {
    pending++;
    setTimeout(onDone, windowMs);
    const errors: unknown[] = [];
    for (const call of calls) {
      try {
        const done = call();
        if (!done) continue;
        pending++;
        void done.then(onDone, onDone);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  function onDone(): void {
    if (--pending > 0 || waiting.length === 0) return;
    const calls = waiting;
    waiting = [];
    make(calls);
  }

  return (call) => {
    if (pending > 0) waiting.push(call);
    else make([call]);
  };
}
