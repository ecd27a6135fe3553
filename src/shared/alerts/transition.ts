import type { AlertState, PendingMessage, Reading } from './alert.js';

/** For how many checks a value must have been well below its limit before an alert is resolved. */
const CLEAR_CHECKS = 4;
/** The longest delay before another attempt to deliver a message, in ms. The first one is until the next check. */
const MAX_RETRY_MS = 10 * 60_000;
/** How many times the delivery of a resolution is tried. A firing alert is tried as long as it fires. */
const MAX_TRIES = 12;

export interface Rules {
  /** Time between two checks, in ms. */
  checkMs: number;
  /** Minimum time between two messages that the same alert is firing, in ms. */
  repeatMs: number;
  now: number;
  newId: () => string;
}

/**
 * Returns the next state of an alert.
 * @param reading the newest reading; `undefined` when there is nothing to measure any more, which counts as clear
 * @returns `undefined` when there is nothing to remember
 */
export function nextState(
  before: AlertState | undefined,
  reading: Reading | undefined,
  { checkMs, repeatMs, now, newId }: Rules,
): AlertState | undefined {
  const state = measured(before, reading, now, CLEAR_CHECKS * checkMs);
  if (!state) return undefined;
  const { firing, announced, sentAt = Number.NEGATIVE_INFINITY, pending } = state;
  const message = (what: PendingMessage['what']): PendingMessage =>
    pending?.what === what ? pending : { id: newId(), what, tries: 0, at: now };
  if (firing) {
    // At most one message in `repeatMs`, even if the alert was resolved in between.
    const due = state.okSince === undefined && now - sentAt >= repeatMs;
    return { ...state, pending: due ? message('firing') : undefined };
  }
  if (announced) {
    const resolved = message('resolved');
    if (resolved.tries < MAX_TRIES) return { ...state, pending: resolved };
  }
  // Remembered until the alert may be announced again, or the limit may still be exceeded long enough.
  const isUseful = state.okSince === undefined || now - sentAt < repeatMs;
  return isUseful ? { ...state, announced: false, pending: undefined } : undefined;
}

function measured(
  before: AlertState | undefined,
  reading: Reading | undefined,
  now: number,
  clearMs: number,
): AlertState | undefined {
  if (reading?.over) {
    const { key, kind, subject, text, forMs } = reading;
    const isSame = before && (before.firing || before.okSince === undefined);
    const since = isSame ? before.since : now;
    const firing = before?.firing || now - since >= forMs;
    return { ...before, key, kind, subject, text, since, firing, okSince: undefined };
  }
  if (!before) return undefined;
  const text = reading?.text ?? before.text;
  // The value is between the two limits.
  if (reading && !reading.clear) return { ...before, text };
  const okSince = before.okSince ?? now;
  return { ...before, text, okSince, firing: before.firing && now - okSince < clearMs };
}

/** Returns the state with its message claimed for an attempt now. No other process then tries it at the same time. */
export function claimed(state: AlertState, now: number, checkMs: number): AlertState {
  const { pending } = state;
  if (!pending) return state;
  const wait = Math.min(checkMs * 2 ** pending.tries, MAX_RETRY_MS);
  return { ...state, pending: { ...pending, tries: pending.tries + 1, at: now + wait } };
}

/** Returns the state after its message was delivered. */
export const delivered = (state: AlertState, what: PendingMessage['what'], now: number): AlertState => ({
  ...state,
  pending: undefined,
  announced: what === 'firing',
  ...(what === 'firing' ? { sentAt: now } : {}),
});
