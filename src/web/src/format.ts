const fine = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const format = (count: number): string => (count < 100 ? fine : whole).format(count);
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes for people. */
export function bytes(count: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(count, 1)) / 10), UNITS.length - 1);
  return `${format(count / 1024 ** power)} ${UNITS[power]}`;
}

/** A count in its unit. */
export const amount = (count: number, unit?: string): string =>
  unit === 'bytes' ? bytes(count) : `${format(count)}${unit ? ` ${isolated(unit)}` : ''}`;

/** A time span for people; rough, as estimates are. */
export function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** A time that has passed, in whole seconds. */
export const elapsed = (ms: number): string => duration(Math.floor(ms / 1000) * 1000);

/** How long something took: to the tenth of a second where it was short. */
export function took(ms: number): string {
  if (ms < 100) return 'less than 0.1 s';
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : elapsed(ms);
}

/** Letters that are written from right to left, and characters that turn the direction around. */
const TURNS =
  /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * Foreign text inside of a sentence of ours, isolated where it needs to be: whichever direction it is written in, it does
 * not turn the rest of the sentence around (Unicode UAX #9). For texts without markup; elsewhere there is `<bdi>`.
 */
export const isolated = (text: string): string => (TURNS.test(text) ? `\u2068${text}\u2069` : text);

export const clock = (at: number): string => new Date(at).toLocaleTimeString();

/** Whether two times are on the same day here. */
const isSameDay = (a: number, b: number): boolean =>
  new Date(a).toDateString() === new Date(b).toDateString();

/** The time of a day, with the day if that is not today. */
export function moment(at: number, now = Date.now()): string {
  if (isSameDay(at, now)) return clock(at);
  return new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/** When something happens, to go on with a sentence: "at 11:15 PM", "tomorrow at 11:15 PM", "on Nov 30, 2026, 11:15 PM". */
export function when(at: number, now = Date.now()): string {
  const time = new Date(at).toLocaleTimeString(undefined, { timeStyle: 'short' });
  // A start a few seconds away is told to the second.
  if (isSameDay(at, now)) return `at ${Math.abs(at - now) < 120_000 ? clock(at) : time}`;
  const tomorrow = new Date(now);
  tomorrow.setDate(tomorrow.getDate() + 1);
  return isSameDay(at, tomorrow.getTime()) ? `tomorrow at ${time}` : `on ${moment(at, now)}`;
}
