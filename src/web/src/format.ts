import * as format from '../../client/format.js';
import { fill, words, wordsLanguage } from './words';

export { isBytes, isolated } from '../../client/format.js';

/** Numbers and durations in the language of the page. */
export const number = (value: number): string => format.number(value, wordsLanguage());
export const bytes = (count: number): string => format.bytes(count, wordsLanguage());
export const amount = (count: number, unit?: string): string => format.amount(count, unit, wordsLanguage());
export const duration = (ms: number): string => format.duration(ms, wordsLanguage());
export const elapsed = (ms: number): string => format.elapsed(ms, wordsLanguage());
export const timeIn = (unit: Parameters<typeof format.timeIn>[0], value: number): string =>
  format.timeIn(unit, value, wordsLanguage());

/** Formats a fraction of 100, rounded down: `46 %`. */
export const percentage = (percent: number): string =>
  fill(words.labels.percent, { percent: Math.floor(percent) });

/** Formats how long something took, in ms: with tenths of a second up to ten seconds. */
export function took(ms: number): string {
  if (ms < 100) return fill(words.common.lessThan, { time: timeIn('second', 0.1) });
  return ms < 9950 ? timeIn('second', Math.round(ms / 100) / 10) : elapsed(ms);
}

/** The locale of dates. An English page follows the habits of the browser, whatever its language. */
const dateLocale = (): string | undefined => (wordsLanguage() === 'en' ? undefined : wordsLanguage());

/** Formats a time of day. */
export const clock = (at: number): string => new Date(at).toLocaleTimeString(dateLocale());

/** Whether two times are on the same day, in the visitor's time zone. */
const isSameDay = (a: number, b: number): boolean =>
  new Date(a).toDateString() === new Date(b).toDateString();

/** Formats a moment: the time of day, with the date unless that is today. */
export function moment(at: number, now = Date.now()): string {
  if (isSameDay(at, now)) return clock(at);
  return new Date(at).toLocaleString(dateLocale(), { dateStyle: 'medium', timeStyle: 'short' });
}

/** Formats a moment within a sentence: "at 11:15 PM", "tomorrow at 11:15 PM", "on Nov 30, 2026, 11:15 PM". */
export function when(at: number, now = Date.now()): string {
  const { common } = words;
  const time = new Date(at).toLocaleTimeString(dateLocale(), { timeStyle: 'short' });
  // Within two minutes, seconds matter.
  if (isSameDay(at, now)) return fill(common.at, { time: Math.abs(at - now) < 120_000 ? clock(at) : time });
  const tomorrow = new Date(now);
  tomorrow.setDate(tomorrow.getDate() + 1);
  return isSameDay(at, tomorrow.getTime())
    ? fill(common.tomorrow, { time })
    : fill(common.on, { date: moment(at, now) });
}
