import type { FaultRecord } from './records.js';

/** A stretch of time in which Redis lost what it had acknowledged. */
export interface LossWindow {
  from: number;
  to: number;
}

/** How long after a job said something it may reach Redis, in ms: so much sooner it may have been said. */
const ON_THE_WAY_MS = 1500;
/** How long after a fault its consequences may show, in ms. */
const AFTERMATH_MS = 10_000;

export const lossWindows = (faults: readonly FaultRecord[]): LossWindow[] =>
  faults.flatMap(({ losesFrom, to }) =>
    losesFrom === undefined ? [] : [{ from: losesFrom - ON_THE_WAY_MS, to }],
  );

export const isLost = (at: number, windows: readonly LossWindow[]): boolean =>
  windows.some(({ from, to }) => at >= from && at <= to);

/** Whether anything from `from` to `to` happened in a window. */
export const overlaps = (from: number, to: number, windows: readonly LossWindow[]): boolean =>
  windows.some((window) => from <= window.to && to >= window.from);

/**
 * Whether a worker may have lost a job at that time: it was killed, stopped or told to end, or it could not renew its
 * lock for long enough.
 */
export function mayLoseLock(
  at: number,
  since: number,
  faults: readonly FaultRecord[],
  lockMs: number,
): boolean {
  return faults.some(({ kind, from, to }) => {
    if (from > at || to + AFTERMATH_MS < at || to < since - AFTERMATH_MS) return false;
    if (kind === 'worker-kill' || kind === 'worker-term') return true;
    if (kind.startsWith('api-') || kind.startsWith('viewers-')) return false;
    return to - from >= lockMs / 2 - 250;
  });
}

/** Whether Redis was restarted or replaced before, or had another master for a while: a viewer may be told to begin again. */
export const mayReset = (at: number, faults: readonly FaultRecord[]): boolean =>
  faults.some(
    ({ kind, from, losesFrom }) =>
      from <= at &&
      (losesFrom !== undefined || ['redis-kill', 'redis-term', 'redis-readonly'].includes(kind)),
  );
