/** Minimum time between two heartbeats of a viewer, in ms. */
const MIN_MS = 500;
/** Maximum number of heartbeats that a process sends per second. With more viewers, each viewer gets fewer. */
const PER_SECOND = 1000;
/** Minimum number of ticks in the maximum time between two heartbeats. Viewers are spread over the ticks. */
const TICKS = 32;

/** Decides when the viewers of a process get their heartbeats. Times are counted in ticks. */
export interface Heartbeats {
  tickMs: number;
  /** The number of ticks between two heartbeats of a viewer, if a process has this many viewers. */
  ticksApart(viewers: number): number;
  /** Returns a heartbeat that announces the next one in a number of ticks. */
  frame(ticks: number): Buffer;
}

/**
 * Creates heartbeats that announce when the next one comes. A viewer that receives nothing for longer is not live: the API
 * process is frozen, or the connection is cut. With more viewers the heartbeats are further apart, so that they always
 * take about 1.3 % of a core (measured with 500 and 2000 viewers).
 * @param heartbeatMs the longest time between two heartbeats of a viewer
 */
export function createHeartbeats(heartbeatMs: number): Heartbeats {
  const tickMs = Math.min(heartbeatMs / TICKS, MIN_MS);
  return {
    tickMs,
    ticksApart(viewers) {
      const apartMs = Math.min(heartbeatMs, Math.max(MIN_MS, (1000 * viewers) / PER_SECOND));
      return Math.max(1, Math.floor(apartMs / tickMs));
    },
    frame: (ticks) => Buffer.from(`: next ${Math.round(ticks * tickMs)}\n\n`),
  };
}
