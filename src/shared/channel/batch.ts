/** Makes a call, now or soon. */
export type Batch = (call: () => void) => void;

/**
 * Makes calls at once while they are rare, and in groups while they are frequent: after each call the next ones
 * wait until `windowMs` are over, then all of them are made in one turn, so that they share a pipeline to Redis.
 * In a busy worker that saves most of the system calls; what it costs is a delay of `windowMs` at most.
 *
 * A call that throws does not keep the others of its group from being made: the first such error is thrown after them.
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
