import { loadOptional } from '../../../../shared/process/optional-packages.js';
import { type Columns, fitted, repeatsHeader } from './columns.js';
import type { RejectionReport } from './report.js';
import type { CsvRecord } from './splitter.js';
import { sqlType, toSql } from './types.js';

/** Number of rows to insert at a time. This blocks the event loop for about 10 ms. */
const ROWS_AT_ONCE = 2000;

/** A SQLite file with one table named `data`. */
export interface Table {
  /** Validates and inserts records. Records that do not fit are added to the report. */
  insert(records: CsvRecord[]): Promise<{ imported: number; rejected: number }>;
  close(): void;
}

export async function createTable(
  path: string,
  { columns, named, header }: Pick<Columns, 'columns' | 'named' | 'header'>,
  report: RejectionReport,
): Promise<Table> {
  const { default: Database } = await loadOptional('csv', () => import('libsql'));
  const database = new Database(path);
  // Safe without a journal: the file is new, and it is discarded if this process dies.
  database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF');
  database.exec(
    `CREATE TABLE data (${columns.map(({ name, type }) => `${identifier(name)} ${sqlType[type]}`).join(', ')})`,
  );
  const statement = database.prepare(`INSERT INTO data VALUES (${columns.map(() => '?').join(', ')})`);

  function convert(record: CsvRecord): Array<string | number | null> | undefined {
    if ('error' in record) {
      report.add(record.line, '', record.error, record.excerpt);
      return undefined;
    }
    const { line } = record;
    if (repeatsHeader(record.fields, header)) {
      report.add(line, '', 'repeats the header', record.fields.join(' | '));
      return undefined;
    }
    const fields = fitted(record.fields, named, columns.length);
    if (!fields) {
      report.add(
        line,
        '',
        `${record.fields.length} fields instead of ${columns.length}`,
        record.fields.join(' | '),
      );
      return undefined;
    }
    const row = new Array<string | number | null>(columns.length);
    for (let i = 0; i < columns.length; i++) {
      // biome-ignore lint/style/noNonNullAssertion: `i` is less than the length; this loop runs for every value
      const { name, type } = columns[i]!;
      const value = toSql(fields[i] ?? '', type);
      if (value === undefined) {
        report.add(line, name, `not of type ${type}`, fields[i] ?? '');
        return undefined;
      }
      row[i] = value;
    }
    return row;
  }

  return {
    async insert(records) {
      let imported = 0;
      for (let from = 0; from < records.length; from += ROWS_AT_ONCE) {
        database.exec('BEGIN');
        for (const record of records.slice(from, from + ROWS_AT_ONCE)) {
          const row = convert(record);
          if (!row) continue;
          // Passed as an array: libsql mistakes a single NULL argument for an object of named values.
          statement.run(row);
          imported++;
        }
        database.exec('COMMIT');
        await new Promise(setImmediate);
      }
      await report.drained();
      return { imported, rejected: records.length - imported };
    },
    close() {
      database.close();
    },
  };
}

/** Quotes a name as an SQL identifier. */
const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
