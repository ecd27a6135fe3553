/** The types a column can have. */
export const columnTypes = ['integer', 'number', 'boolean', 'date', 'text'] as const;
export type ColumnType = (typeof columnTypes)[number];

const INTEGER = /^[+-]?(0|[1-9]\d{0,15})$/;
const NUMBER = /^[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$/;
const BOOLEAN = /^(true|false|yes|no)$/i;
/** ISO 8601 calendar dates, with or without a time. */
const DATE =
  /^\d{4}-(\d{2})-(\d{2})([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/**
 * The narrowest type of a value. Digits with leading zeros (postal codes) and whole numbers that a double
 * cannot hold are text: as numbers they would be changed.
 */
export function typeOf(value: string): ColumnType {
  const first = value.charCodeAt(0);
  const numeric = first <= 0x39;
  if (numeric && INTEGER.test(value)) return Number.isSafeInteger(Number(value)) ? 'integer' : 'text';
  if (numeric && NUMBER.test(value)) return /^[+-]?\d{17}/.test(value) ? 'text' : 'number';
  if (numeric) return isDate(value) ? 'date' : 'text';
  return value.length <= 5 && BOOLEAN.test(value) ? 'boolean' : 'text';
}

function isDate(value: string): boolean {
  const match = DATE.exec(value);
  if (!match) return false;
  const [year, month, day] = [Number(value.slice(0, 4)), Number(match[1]), Number(match[2])];
  return month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Counts the types of a column's values. */
export class ColumnStatistics {
  private readonly counts: Record<ColumnType, number> = {
    integer: 0,
    number: 0,
    boolean: 0,
    date: 0,
    text: 0,
  };

  add(value: string): void {
    if (value !== '') this.counts[typeOf(value)]++;
  }

  /**
   * The column's type: the narrowest that fits, where one value in ten (in a column of three to nine values,
   * one) may not fit; those rows are rejected later. Anything less clear is text.
   */
  type(): ColumnType {
    const { integer, number, boolean, date, text } = this.counts;
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

/** What is stored for a value; `undefined` when the value does not fit the column. An empty value is NULL. */
export function toSql(value: string, type: ColumnType): string | number | null | undefined {
  if (value === '') return null;
  if (type === 'text') return value;
  const actual = typeOf(value);
  if (type === 'number') return actual === 'integer' || actual === 'number' ? Number(value) : undefined;
  if (actual !== type) return undefined;
  if (type === 'integer') return Number(value);
  if (type === 'boolean') return /^(true|yes)$/i.test(value) ? 1 : 0;
  return value;
}
