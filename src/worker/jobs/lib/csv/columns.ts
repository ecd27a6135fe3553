import { PermanentError } from '../../../../shared/errors.js';
import type { CsvRecord } from './splitter.js';
import { ColumnStatistics, type ColumnType } from './types.js';

/** A column of a CSV file. */
export interface Column {
  name: string;
  type: ColumnType;
}

const MAX_COLUMNS = 2000;

/** The columns of a file, known after reading all records. */
export interface Columns {
  columns: Column[];
  /** Minimum number of fields in a row. The columns after these have no name. */
  named: number;
  rows: number;
  /** The fields of the header, if there is one. */
  header: string[] | undefined;
  /** Names of columns stored as text because the point in their numbers may separate thousands. */
  grouped: string[];
}

/**
 * Reads all records to determine the columns, their types and the number of rows.
 * @throws PermanentError if the file has no header, or more columns than SQLite supports
 */
export async function detectColumns(
  batches: AsyncIterable<CsvRecord[]>,
  hasHeader: boolean,
  delimiter: string,
): Promise<Columns> {
  let header: string[] | undefined;
  let first: string[] | undefined;
  let named = 0;
  let statistics: ColumnStatistics[] = [];
  let rows = 0;
  for await (const records of batches) {
    for (const record of records) {
      if (!header) {
        header = headerOf(record, hasHeader);
        if (hasHeader) first = [...header];
        named = usedWidth(header);
        statistics = header.map(() => new ColumnStatistics());
        if (hasHeader) continue;
      }
      rows++;
      const isRow = 'fields' in record && !repeatsHeader(record.fields, first);
      const fields = isRow ? fitted(record.fields, named, header.length) : undefined;
      for (let i = 0; fields && i < fields.length; i++) statistics[i]?.add(fields[i] ?? '');
    }
  }
  if (!header) throw new PermanentError('the file has no header line');
  // A delimiter at the end of each line adds a column without a name and without values.
  while (header.length > named && statistics[header.length - 1]?.isEmpty) header.pop();
  const names = uniqueNames(hasHeader ? header : header.map(() => ''));
  // A comma cannot be both the delimiter and the decimal sign.
  const isPointDecimal =
    (delimiter === ',' && header.length > 1) || statistics.some(({ hasDecimals }) => hasDecimals);
  const isGrouped = (i: number): boolean => !isPointDecimal && statistics[i]?.isGrouped === true;
  return {
    columns: names.map((name, i) => ({
      name,
      type: isGrouped(i) ? 'text' : (statistics[i]?.type() ?? 'text'),
    })),
    named,
    rows,
    header: first,
    grouped: names.filter((_, i) => isGrouped(i)),
  };
}

/** Whether a record repeats the header, as in concatenated files and after page breaks. */
export const repeatsHeader = (fields: string[], header: string[] | undefined): boolean =>
  header !== undefined &&
  header.length > 1 &&
  fields.length === header.length &&
  fields.every((field, i) => field === header[i]);

function headerOf(record: CsvRecord, hasHeader: boolean): string[] {
  if ('error' in record) {
    throw new PermanentError(`cannot read the ${hasHeader ? 'header line' : 'first line'}: ${record.error}`);
  }
  const header = [...record.fields];
  while (hasHeader && header.length > MAX_COLUMNS && header.at(-1)?.trim() === '') header.pop();
  if (header.length > MAX_COLUMNS) {
    throw new PermanentError(`the file has ${header.length} columns; SQLite supports at most ${MAX_COLUMNS}`);
  }
  return header;
}

const usedWidth = (fields: string[]): number =>
  Math.max(1, fields.findLastIndex((field) => field.trim() !== '') + 1);

/**
 * Fits the fields of a row to a table by removing surplus empty fields at the end.
 * @returns `undefined` if the row has fewer fields than `least` or more than `most`
 */
export function fitted(fields: string[], least: number, most: number): string[] | undefined {
  if (fields.length === most) return fields;
  let length = fields.length;
  while (length > most && fields[length - 1]?.trim() === '') length--;
  if (length < least || length > most) return undefined;
  return fields.slice(0, length);
}

/** Makes column names: trimmed, without control characters, not empty, and unique (SQLite ignores case). */
export function uniqueNames(header: string[]): string[] {
  const taken = new Set<string>();
  return header.map((field, index) => {
    const base =
      field
        .replace(/\p{Cc}/gu, ' ')
        .trim()
        .slice(0, 200) || `column_${index + 1}`;
    let name = base;
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${base}_${n}`;
    taken.add(name.toLowerCase());
    return name;
  });
}
