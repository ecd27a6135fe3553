import { loadOptional } from '../../../../shared/process/optional-packages.js';
import { findBackslashes } from './backslash.js';
import { type FileDialect, findDialect } from './dialect.js';
import type { Encoding, FileEncoding } from './encoding.js';
import { type CsvRecord, RecordSplitter } from './splitter.js';
import { readText } from './text.js';

/** A CSV file and how to read it. */
export interface CsvSource extends FileDialect {
  path: string;
  encoding: Encoding;
  /** Rejection reason for records with invalid bytes; empty if the file has none. */
  damage: string;
  /** Some backslashes look escaped and others do not. All except those before quotes are kept. */
  backslashesDoubtful: boolean;
}

/** Examines a file to determine how to read its records. */
export async function openCsv(
  path: string,
  { encoding, damaged }: FileEncoding,
  delimiter: string | undefined,
  signal: AbortSignal,
): Promise<CsvSource> {
  const { parse } = await loadOptional('csv', () => import('csv-parse/sync'));
  let chunks = 0;
  let start: Buffer = Buffer.alloc(0);
  for await (const text of readText(path, encoding, signal)) {
    if (chunks++ > 0 && text.length > 0) break;
    start = Buffer.concat([start, text]);
    chunks = start.length > 0 ? 1 : 0;
  }
  const whole = start.length < 200_000;
  let dialect = findDialect(parse, start, whole, delimiter);
  const found = await findBackslashes(path, encoding, dialect, signal);
  if (found.backslashes !== dialect.backslashes) {
    dialect = findDialect(parse, start, whole, delimiter ?? dialect.delimiter, [found.backslashes]);
  }
  return { ...dialect, ...found, path, encoding, damage: damaged ? `not ${encoding.toUpperCase()}` : '' };
}

/**
 * Reads the records of a CSV file, starting with the header. Memory use is bounded.
 * @param onBytes called with the number of bytes read so far
 * @param onBlank called at the end with the number of blank records (only delimiters and spaces)
 */
export async function* readRecords(
  { path, encoding, damage, headerLine, ...dialect }: CsvSource,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => {},
  onBlank: (records: number) => void = () => {},
): AsyncGenerator<CsvRecord[]> {
  const { parse } = await loadOptional('csv', () => import('csv-parse/sync'));
  const splitter = new RecordSplitter(parse, dialect, damage, headerLine - 1);
  for await (const text of readText(path, encoding, signal, onBytes)) {
    const records = splitter.push(text);
    if (records.length > 0) yield records;
  }
  const records = splitter.end();
  onBlank(splitter.blank);
  if (records.length > 0) yield records;
}
