import { PermanentError } from '../../shared/errors.js';
import { type CsvRecord, readRecords } from './records.js';
import { ColumnStatistics, type ColumnType } from './types.js';

/** A column of a CSV file. */
export interface Column {
  name: string;
  type: ColumnType;
}

const MAX_COLUMNS = 2000;

/**
 * Reads a whole file to learn its columns, their types and how many rows it has.
 * @throws PermanentError for a file without a header, or with more columns than SQLite takes
 */
export async function detectColumns(
  path: string,
  delimiter: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<{ columns: Column[]; rows: number }> {
  let names: string[] | undefined;
  let statistics: ColumnStatistics[] = [];
  let rows = 0;
  for await (const records of readRecords(path, delimiter, signal, onBytes)) {
    for (const record of records) {
      if (!names) {
        names = headerOf(record);
        statistics = names.map(() => new ColumnStatistics());
        continue;
      }
      rows++;
      if ('error' in record || record.fields.length !== names.length) continue;
      for (let i = 0; i < names.length; i++) statistics[i]!.add(record.fields[i]!);
    }
  }
  if (!names) throw new PermanentError('the file has no header line');
  return { columns: names.map((name, i) => ({ name, type: statistics[i]!.type() })), rows };
}

function headerOf(record: CsvRecord): string[] {
  if ('error' in record) throw new PermanentError(`the header line cannot be read: ${record.error}`);
  if (record.fields.length > MAX_COLUMNS) {
    throw new PermanentError(
      `${record.fields.length} columns are more than the ${MAX_COLUMNS} that SQLite takes`,
    );
  }
  return uniqueNames(record.fields);
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
