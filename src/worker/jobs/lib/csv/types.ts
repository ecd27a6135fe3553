/** The types a column can have. */
export const columnTypes = ['integer', 'number', 'boolean', 'date', 'text'] as const;
export type ColumnType = (typeof columnTypes)[number];

/**
 * What a value is by itself. A `code` looks like a number and would not be the same afterwards (`007`, `+4930123`,
 * `713752e1`, digits beyond what a double holds): it makes its whole column text.
 */
export type ValueType = ColumnType | 'code' | 'empty';

const INTEGER = /^-?(0|[1-9]\d*)$/;
const DECIMAL = /^-?(0|[1-9]\d*)?\.\d+$/;
/** As programs write it, with one digit before the point; `713752e1` is a code. */
const SCIENTIFIC = /^-?\d(\.\d+([eE][+-]?\d{1,3})|[eE][+-]\d{1,3})$/;
/** Digits with whatever people and programs put around them in numbers. */
const LIKE_NUMBER = /^[+-]?\s*\d*\.?\d*([eE][+-]?\d*)?$/;
/** What may be a thousand and more where the decimal sign is a comma: `1.234`. */
const GROUPED = /^-?[1-9]\d{0,2}\.\d{3}$/;
const BOOLEAN = /^(true|false|yes|no)$/i;
/** ISO 8601 calendar dates, with or without a time. */
const DATE =
  /^\d{4}-(\d{2})-(\d{2})([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
/** How databases write that there is no value. */
const NULL = /^(NULL|\\N)$/;

/** The narrowest type of a value, spaces around it apart. */
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

/** Whether a decimal number is the same after it has been a double; all of up to 15 digits are. */
function survives(value: string): boolean {
  const number = Number(value);
  const digits = significant(value);
  if (!Number.isFinite(number) || (number === 0 && digits !== '')) return false;
  return digits.length <= 15
    ? Math.abs(number) > 1e-300 || digits === ''
    : significant(String(number)) === digits;
}

/** The digits of a number that matter. */
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

  /** Whether each decimal number may be a whole one with a point between its thousands. */
  get isGrouped(): boolean {
    return this.grouped > 0 && this.grouped === this.counts.number;
  }

  /** Whether some decimal number cannot be that. */
  get hasDecimals(): boolean {
    return this.counts.number > this.grouped;
  }

  /** Whether every value was empty. */
  get isEmpty(): boolean {
    const { empty, ...others } = this.counts;
    return Object.values(others).every((count) => count === 0);
  }

  /**
   * The column's type: the narrowest that fits, where one value in ten (in a column of three to nine values,
   * one) may not fit; those rows are rejected later. Anything less clear is text, and so is a column with a code.
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
 * What is stored for a value; `undefined` when the value does not fit the column. An empty value is NULL, and so is `\N`,
 * which no text would be. The word NULL may be somebody's name. Text is stored with the spaces around it.
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
