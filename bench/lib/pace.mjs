/**
 * Waits for the next beat of a job of its own: beats keep their distance, from a start at random, so that many
 * jobs do not fall into step with one another as those of different machines would not.
 */
export function paceOf(intervalMs) {
  let next = Date.now() + Math.random() * intervalMs;
  return async () => {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
    next += intervalMs;
  };
}
