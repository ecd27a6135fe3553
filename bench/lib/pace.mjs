/**
 * Waits for the next beat of one job. The first beat is at a random time, so that many jobs do not run in step; jobs on
 * different machines would not either.
 */
export function paceOf(intervalMs) {
  let next = Date.now() + Math.random() * intervalMs;
  return async () => {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
    next += intervalMs;
  };
}
