import { PermanentError } from '../../shared/errors.js';
import type { CsvRecord } from './splitter.js';
import { ColumnStatistics, type ColumnType } from './types.js';

/** A column of a CSV file. */
export interface Column {
  name: string;
  type: ColumnType;
}

const MAX_COLUMNS = 2000;

/**
 * Reads all records to learn the columns, their types and how many rows there are. `named`: a row has at least so many
 * fields; the columns after them have no name.
 * @throws PermanentError for a file without a header, or with more columns than SQLite takes
 */
export async function detectColumns(
  batches: AsyncIterable<CsvRecord[]>,
  hasHeader: boolean,
): Promise<{ columns: Column[]; named: number; rows: number }> {
  let header: string[] | undefined;
  let named = 0;
  let statistics: ColumnStatistics[] = [];
  let rows = 0;
  for await (const records of batches) {
    for (const record of records) {
      if (!header) {
        header = headerOf(record, hasHeader);
        named = usedWidth(header);
        statistics = header.map(() => new ColumnStatistics());
        if (hasHeader) continue;
      }
      rows++;
      const fields = 'error' in record ? undefined : fitted(record.fields, named, header.length);
      for (let i = 0; fields && i < fields.length; i++) statistics[i]!.add(fields[i]!);
    }
  }
  if (!header) throw new PermanentError('the file has no header line');
  // A delimiter at the end of each line makes a column that has neither a name nor a value.
  while (header.length > named && statistics[header.length - 1]!.isEmpty) header.pop();
  const names = uniqueNames(hasHeader ? header : header.map(() => ''));
  return {
    columns: names.map((name, i) => ({ name, type: statistics[i]!.type() })),
    named,
    rows,
  };
}

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
