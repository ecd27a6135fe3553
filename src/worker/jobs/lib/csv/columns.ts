import { PermanentError } from '../../../../shared/errors.js';
import type { CsvRecord } from './splitter.js';
import { ColumnStatistics, type ColumnType } from './types.js';

/** A column of a CSV file. */
export interface Column {
  name: string;
  type: ColumnType;
}

const MAX_COLUMNS = 2000;

/** What is known of the columns when all records have been read. */
export interface Columns {
  columns: Column[];
  /** A row has at least so many fields; the columns after them have no name. */
  named: number;
  rows: number;
  /** The fields of the header, if there is one. */
  header: string[] | undefined;
  /** The columns whose numbers may have a point between thousands; they are text. */
  grouped: string[];
}

/**
 * Reads all records to learn the columns, their types and how many rows there are.
 * @throws PermanentError for a file without a header, or with more columns than SQLite takes
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
      for (let i = 0; fields && i < fields.length; i++) statistics[i]!.add(fields[i]!);
    }
  }
  if (!header) throw new PermanentError('the file has no header line');
  // A delimiter at the end of each line makes a column that has neither a name nor a value.
  while (header.length > named && statistics[header.length - 1]!.isEmpty) header.pop();
  const names = uniqueNames(hasHeader ? header : header.map(() => ''));
  // Where the decimal sign is a comma, something else separates the fields.
  const isPointDecimal =
    (delimiter === ',' && header.length > 1) || statistics.some(({ hasDecimals }) => hasDecimals);
  const isGrouped = (i: number): boolean => !isPointDecimal && statistics[i]!.isGrouped;
  return {
    columns: names.map((name, i) => ({ name, type: isGrouped(i) ? 'text' : statistics[i]!.type() })),
    named,
    rows,
    header: first,
    grouped: names.filter((_, i) => isGrouped(i)),
  };
}

/** Whether a record is the header once more: files were put together, or a page break repeats it. */
export const repeatsHeader = (fields: string[], header: string[] | undefined): boolean =>
  header !== undefined &&
  header.length > 1 &&
  fields.length === header.length &&
  fields.every((field, i) => field === header[i]);

function headerOf(record: CsvRecord, hasHeader: boolean): string[] {
  if ('error' in record) {
    throw new PermanentError(
      `the ${hasHeader ? 'header line' : 'first line'} cannot be read: ${record.error}`,
    );
  }
  const header = [...record.fields];
  while (hasHeader && header.length > MAX_COLUMNS && header.at(-1)!.trim() === '') header.pop();
  if (header.length > MAX_COLUMNS) {
    throw new PermanentError(`${header.length} columns are more than the ${MAX_COLUMNS} that SQLite takes`);
  }
  return header;
}

const usedWidth = (fields: string[]): number =>
  Math.max(1, fields.findLastIndex((field) => field.trim() !== '') + 1);

/**
 * The fields of a row as a table of some width has them: empty ones at the end that have no column are left out.
 * @returns `undefined` when there are too few, or too many
 */
export function fitted(fields: string[], least: number, most: number): string[] | undefined {
  if (fields.length === most) return fields;
  let length = fields.length;
  while (length > most && fields[length - 1]!.trim() === '') length--;
  if (length < least || length > most) return undefined;
  return fields.slice(0, length);
}

/** Names for columns: trimmed, without control characters, none empty, none twice (SQLite ignores case). */
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
