/** Formatters by language and options. Creating one is slow. */
const formatters = new Map<string, Intl.NumberFormat>();

/** Returns a language that `Intl` accepts: English instead of an invalid one. */
export function validLanguage(lang: string): string {
  try {
    return Intl.getCanonicalLocales(lang)[0] ?? 'en';
  } catch {
    return 'en';
  }
}

function formatter(lang: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${lang} ${JSON.stringify(options)}`;
  const found = formatters.get(key) ?? new Intl.NumberFormat(validLanguage(lang), options);
  formatters.set(key, found);
  return found;
}

/** Formats a number, with a fraction digit below 100: `0.5`, `1,200`. */
export const number = (value: number, lang = 'en'): string =>
  formatter(lang, { maximumFractionDigits: value < 100 ? 1 : 0 }).format(value);

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Whether a unit that a job reports means bytes. */
export const isBytes = (unit: string | undefined): boolean => /^(bytes?|B)$/.test(unit ?? '');

/** Formats a number of bytes: `312 B`, `1.5 KiB`. */
export function bytes(count: number, lang?: string): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(count, 1)) / 10), BYTE_UNITS.length - 1);
  return `${number(count / 1024 ** power, lang)} ${BYTE_UNITS[power]}`;
}

/** Formats a number with its unit: `1,200 rows`, `1.5 KiB`. */
export const amount = (count: number, unit?: string, lang?: string): string =>
  isBytes(unit) ? bytes(count, lang) : `${number(count, lang)}${unit ? ` ${isolated(unit)}` : ''}`;

/** Units of time, with the symbols that English uses here. `Intl` has words for them: "sec", "hr". */
const TIME_UNITS = { millisecond: 'ms', second: 's', minute: 'min', hour: 'h' } as const;

/** Formats a time in one unit: `5 s`, `1.5 min`. */
export const timeIn = (unit: keyof typeof TIME_UNITS, value: number, lang = 'en'): string =>
  /^en\b/i.test(lang)
    ? `${formatter(lang, { maximumFractionDigits: 2 }).format(value)} ${TIME_UNITS[unit]}`
    : formatter(lang, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 2 }).format(value);

/** Formats a duration in ms, rounded up to whole seconds: `5 s`, `2 min 5 s`, `1 h 3 min`. */
export function duration(ms: number, lang?: string): string {
  const seconds = Math.ceil(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return timeIn('second', seconds, lang);
  if (minutes < 60) return `${timeIn('minute', minutes, lang)} ${timeIn('second', seconds % 60, lang)}`;
  return `${timeIn('hour', Math.floor(minutes / 60), lang)} ${timeIn('minute', minutes % 60, lang)}`;
}

/** Formats an estimated duration in ms: `25 s`, `2 min`, `1 h 3 min`. */
export function roughly(ms: number, lang?: string): string {
  if (ms < 59_500) return duration(ms, lang);
  const minutes = Math.round(ms / 60_000);
  return minutes < 60 ? timeIn('minute', minutes, lang) : duration(minutes * 60_000, lang);
}

/** Formats a time that has passed, in ms, rounded down to whole seconds. */
export const elapsed = (ms: number, lang?: string): string => duration(Math.floor(ms / 1000) * 1000, lang);

/** Letters written from right to left, and characters that change the direction of a text. */
const DIRECTIONAL =
  /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * Isolates foreign text within a sentence, if necessary, so that its direction does not change the order of the rest
 * (Unicode UAX #9). For plain text; use `<bdi>` in markup.
 */
export const isolated = (text: string): string => (DIRECTIONAL.test(text) ? `\u2068${text}\u2069` : text);
