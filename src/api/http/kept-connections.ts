import { setTimeout as sleep } from 'node:timers/promises';

/** How often connections are counted, in ms. */
const LOOK_MS = 50;

/**
 * Waits until no connection is kept for a later request. Clients would otherwise send one just when their connection is
 * destroyed. Node closes an idle connection after five seconds.
 * @param open returns the number of open connections
 * @param inUse returns how many of them belong to a stream or a request
 */
export async function keptConnectionsEnd(
  open: () => Promise<number>,
  inUse: () => number,
  limitMs: number,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (performance.now() < end && (await open()) > inUse()) await sleep(LOOK_MS);
}
