/** One formatter for each zone: to make one takes longer than to use it a hundred times. */
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

/** How far the clock of a zone is ahead of UTC at a time (ms since 1970), in ms. */
export function offsetAt(timeZone: string, at: number): number {
  const second = Math.floor(at / 1000) * 1000;
  const part: Record<string, number> = {};
  for (const { type, value } of formatterOf(timeZone).formatToParts(second)) part[type] = Number(value);
  const { year, month, day, hour, minute, second: seconds } = part as Record<string, number>;
  return Date.UTC(year!, month! - 1, day, hour, minute, seconds) - second;
}

/**
 * When the clock of a zone is changed, later than `after` and not after `until`: the first ms of the new offset. Of several
 * changes it finds one; changes that undo one another are not found. So the two times are to be a day or two apart: no zone
 * changes its clock twice in that time.
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

/** Whether this is a name of the IANA database. */
export function isTimeZone(name: string): boolean {
  try {
    formatterOf(name);
    // An offset is not a zone: it knows no clock change.
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}
