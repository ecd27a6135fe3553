import { elapsed } from '../../client/format.js';

export { amount, bytes, duration, elapsed, isBytes, isolated } from '../../client/format.js';

/** Formats how long something took, in ms: with tenths of a second up to ten seconds. */
export function took(ms: number): string {
  if (ms < 100) return 'less than 0.1 s';
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : elapsed(ms);
}

/** Formats a time of day. */
export const clock = (at: number): string => new Date(at).toLocaleTimeString();

/** Whether two times are on the same day, in the visitor's time zone. */
const isSameDay = (a: number, b: number): boolean =>
  new Date(a).toDateString() === new Date(b).toDateString();

/** Formats a moment: the time of day, with the date unless that is today. */
export function moment(at: number, now = Date.now()): string {
  if (isSameDay(at, now)) return clock(at);
  return new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/** Formats a moment within a sentence: "at 11:15 PM", "tomorrow at 11:15 PM", "on Nov 30, 2026, 11:15 PM". */
export function when(at: number, now = Date.now()): string {
  const time = new Date(at).toLocaleTimeString(undefined, { timeStyle: 'short' });
  // Within two minutes, seconds matter.
  if (isSameDay(at, now)) return `at ${Math.abs(at - now) < 120_000 ? clock(at) : time}`;
  const tomorrow = new Date(now);
  tomorrow.setDate(tomorrow.getDate() + 1);
  return isSameDay(at, tomorrow.getTime()) ? `tomorrow at ${time}` : `on ${moment(at, now)}`;
}
