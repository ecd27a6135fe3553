/** A formatter for each zone. Creating one takes longer than using it a hundred times. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const key = timeZone.toLowerCase();
  let formatter = formatters.get(key);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formatters.set(key, formatter);
  }
  return formatter;
}

/** Returns the offset of a zone from UTC at a time (ms since 1970), in ms; positive if the zone is ahead. */
export function offsetAt(timeZone: string, at: number): number {
  const second = Math.floor(at / 1000) * 1000;
  const part: Record<string, number> = {};
  for (const { type, value } of formatterOf(timeZone).formatToParts(second)) part[type] = Number(value);
  const { year = 0, month = 0, day, hour, minute, second: seconds } = part as Record<string, number>;
  return Date.UTC(year, month - 1, day, hour, minute, seconds) - second;
}

/**
 * Returns when the offset of a zone changes after `after` and not later than `until`: the first ms of the new offset. If there
 * are several changes, it finds one; changes that cancel each other are not found. The two times should therefore be at most
 * a day or two apart: no zone changes twice within that time.
 */
export function clockChange(timeZone: string, after: number, until: number): number | undefined {
  const before = offsetAt(timeZone, after);
  if (until <= after || offsetAt(timeZone, until) === before) return undefined;
  let [low, high] = [after, until];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(timeZone, middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

/** Returns whether a text is a name of the IANA time zone database. */
export function isTimeZone(name: string): boolean {
  try {
    formatterOf(name);
    // Intl also accepts offsets, which have no clock changes.
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}
