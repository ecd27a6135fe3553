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
  unit === 'bytes' ? bytes(count) : `${format(count)}${unit ? ` ${unit}` : ''}`;

/** A time span for people; rough, as estimates are. */
export function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

export const clock = (at: number): string => new Date(at).toLocaleTimeString();

/** The time of a day, with the day if that is not today. */
export function moment(at: number): string {
  const date = new Date(at);
  if (date.toDateString() === new Date().toDateString()) return clock(at);
  return date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
