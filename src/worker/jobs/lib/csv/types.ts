/** The types of columns. */
export const columnTypes = ['integer', 'number', 'boolean', 'date', 'text'] as const;
export type ColumnType = (typeof columnTypes)[number];

/**
 * The type of a single value. A `code` looks like a number but would change if stored as one (`007`, `+4930123`,
 * `713752e1`, or more digits than a double holds). One code makes its whole column text.
 */
export type ValueType = ColumnType | 'code' | 'empty';

const INTEGER = /^-?(0|[1-9]\d*)$/;
const DECIMAL = /^-?(0|[1-9]\d*)?\.\d+$/;
/** Scientific notation as programs write it, with one digit before the point. `713752e1` is a code. */
const SCIENTIFIC = /^-?\d(\.\d+([eE][+-]?\d{1,3})|[eE][+-]\d{1,3})$/;
/** Digits with the signs, points and exponents that may occur in numbers. */
const LIKE_NUMBER = /^[+-]?\s*\d*\.?\d*([eE][+-]?\d*)?$/;
/** Numbers in which a point may separate thousands: `1.234`. */
const GROUPED = /^-?[1-9]\d{0,2}\.\d{3}$/;
const BOOLEAN = /^(true|false|yes|no)$/i;
/** ISO 8601 calendar dates, with an optional time. */
const DATE =
  /^\d{4}-(\d{2})-(\d{2})([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
/** How databases write a missing value. */
const NULL = /^(NULL|\\N)$/;

/** Returns the narrowest type of a value, ignoring spaces around it. */
export function typeOf(given: string): ValueType {
  const value = given.trim();
  const first = value.charCodeAt(0);
  if (Number.isNaN(first)) return 'empty';
  if (first > 0x39) {
    if (NULL.test(value)) return 'empty';
    return value.length <= 5 && BOOLEAN.test(value) ? 'boolean' : 'text';
  }
  if (INTEGER.test(value)) return Number.isSafeInteger(Number(value)) ? 'integer' : 'code';
  if (DECIMAL.test(value) || SCIENTIFIC.test(value)) return survives(value) ? 'number' : 'code';
  if (isDate(value)) return 'date';
  return /\d/.test(value) && LIKE_NUMBER.test(value) ? 'code' : 'text';
}

/** Whether a decimal number keeps its digits when stored as a double. All numbers of up to 15 digits do. */
function survives(value: string): boolean {
  const number = Number(value);
  const digits = significant(value);
  if (!Number.isFinite(number) || (number === 0 && digits !== '')) return false;
  return digits.length <= 15
    ? Math.abs(number) > 1e-300 || digits === ''
    : significant(String(number)) === digits;
}

/** Returns the significant digits of a number. */
const significant = (value: string): string =>
  value
    .replace(/[eE].*$/, '')
    .replace(/\D/g, '')
    .replace(/^0+|0+$/g, '');

function isDate(value: string): boolean {
  const match = DATE.exec(value);
  if (!match) return false;
  const [year, month, day] = [Number(value.slice(0, 4)), Number(match[1]), Number(match[2])];
  return month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Counts the types of a column's values. */
export class ColumnStatistics {
  private readonly counts: Record<ValueType, number> = {
    integer: 0,
    number: 0,
    boolean: 0,
    date: 0,
    text: 0,
    code: 0,
    empty: 0,
  };

  private grouped = 0;

  add(value: string): void {
    const type = typeOf(value);
    this.counts[type]++;
    if (type === 'number' && GROUPED.test(value.trim())) this.grouped++;
  }

  /** Whether the column has decimal numbers and their points may all separate thousands. */
  get isGrouped(): boolean {
    return this.grouped > 0 && this.grouped === this.counts.number;
  }

  /** Whether the column has a decimal number whose point cannot separate thousands. */
  get hasDecimals(): boolean {
    return this.counts.number > this.grouped;
  }

  /** Whether all values are empty. */
  get isEmpty(): boolean {
    const { empty, ...others } = this.counts;
    return Object.values(others).every((count) => count === 0);
  }

  /**
   * Returns the narrowest type that fits the column. Up to one value in ten (one value, in a column of three to nine)
   * need not fit; its row is rejected later. Without such a type, or with a code, the column is text.
   */
  type(): ColumnType {
    const { integer, number, boolean, date, text, code } = this.counts;
    if (code > 0) return 'text';
    const all = integer + number + boolean + date + text;
    const tolerated = all > 2 ? Math.max(1, Math.floor(all / 10)) : 0;
    const fits = (count: number): boolean => count > 0 && count >= all - tolerated;
    if (fits(integer) && number === 0) return 'integer';
    if (fits(integer + number)) return 'number';
    if (fits(boolean)) return 'boolean';
    if (fits(date)) return 'date';
    return 'text';
  }
}

export const sqlType: Record<ColumnType, string> = {
  integer: 'INTEGER',
  number: 'REAL',
  boolean: 'INTEGER',
  date: 'TEXT',
  text: 'TEXT',
};

/**
 * Converts a value for SQLite; returns `undefined` if the value does not fit the column. Empty values and `\N` become
 * NULL. In a text column the word NULL is kept, because it may be a name, and so are spaces around the text.
 */
export function toSql(value: string, type: ColumnType): string | number | null | undefined {
  if (value === '' || value === '\\N') return null;
  if (type === 'text') return value;
  const actual = typeOf(value);
  if (actual === 'empty') return null;
  if (type === 'number') return actual === 'integer' || actual === 'number' ? Number(value) : undefined;
  if (actual !== type) return undefined;
  if (type === 'integer') return Number(value);
  if (type === 'boolean') return /^\s*(true|yes)/i.test(value) ? 1 : 0;
  return value.trim();
}
