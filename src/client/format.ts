const fine = /* @__PURE__ */ new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const whole = /* @__PURE__ */ new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const format = (count: number): string => (count < 100 ? fine : whole).format(count);
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Whether a unit that a job reports means bytes. */
export const isBytes = (unit: string | undefined): boolean => /^(bytes?|B)$/.test(unit ?? '');

/** Formats a number of bytes: `312 B`, `1.5 KiB`. */
export function bytes(count: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(count, 1)) / 10), BYTE_UNITS.length - 1);
  return `${format(count / 1024 ** power)} ${BYTE_UNITS[power]}`;
}

/** Formats a number with its unit: `1,200 rows`, `1.5 KiB`. */
export const amount = (count: number, unit?: string): string =>
  isBytes(unit) ? bytes(count) : `${format(count)}${unit ? ` ${isolated(unit)}` : ''}`;

/** Formats a duration in ms, rounded up to whole seconds: `5 s`, `2 min 5 s`, `1 h 3 min`. */
export function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** Formats an estimated duration in ms: `25 s`, `2 min`, `1 h 3 min`. */
export const roughly = (ms: number): string =>
  ms < 59_500
    ? duration(ms)
    : ms < 3_570_000
      ? `${Math.round(ms / 60_000)} min`
      : duration(Math.round(ms / 60_000) * 60_000);

/** Formats a time that has passed, in ms, rounded down to whole seconds. */
export const elapsed = (ms: number): string => duration(Math.floor(ms / 1000) * 1000);

/** Letters written from right to left, and characters that change the direction of a text. */
const DIRECTIONAL =
  /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * Isolates foreign text within a sentence, if necessary, so that its direction does not change the order of the rest
 * (Unicode UAX #9). For plain text; use `<bdi>` in markup.
 */
export const isolated = (text: string): string => (DIRECTIONAL.test(text) ? `\u2068${text}\u2069` : text);
