import { createReadStream } from 'node:fs';
import type { CsvError } from 'csv-parse';

/** One record of a CSV file, or why it is none. `line` is where it ends. */
export type CsvRecord = { line: number; fields: string[] } | { line: number; error: string };

const MAX_RECORD_BYTES = 1024 * 1024;

/**
 * Reads a CSV file record by record, with a bounded amount of memory.
 * @param onBytes told how many bytes have been read so far
 */
export async function* readRecords(
  path: string,
  delimiter: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => {},
): AsyncGenerator<CsvRecord[]> {
  const { parse } = await import('csv-parse');
  let batch: CsvRecord[] = [];
  const parser = parse({
    delimiter,
    bom: true,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: MAX_RECORD_BYTES,
    on_skip: (error?: CsvError) => {
      const line = (error as unknown as { lines?: number } | undefined)?.lines ?? 0;
      batch.push({ line, error: error ? explain(error) : 'malformed record' });
    },
    on_record: (fields: string[], { lines }) => {
      const garbled = fields.some((field) => field.includes('\uFFFD'));
      batch.push(garbled ? { line: lines, error: 'not UTF-8' } : { line: lines, fields });
      return null;
    },
  });
  // Records are collected where they are made: an object mode stream between would cost more than parsing.
  parser.resume();
  const ended = new Promise<void>((resolve, reject) => {
    parser.on('end', resolve);
    parser.on('error', reject);
  });
  ended.catch(() => {});

  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024, signal })) {
    bytes += (chunk as Buffer).length;
    await new Promise<void>((resolve, reject) => {
      parser.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
    onBytes(bytes);
    if (batch.length > 0) {
      const full = batch;
      batch = [];
      yield full;
    }
  }
  parser.end();
  await ended;
  if (batch.length > 0) yield batch;
}

function explain(error: CsvError): string {
  if (error.code === 'CSV_QUOTE_NOT_CLOSED') return 'a quote is not closed';
  if (error.code === 'INVALID_OPENING_QUOTE' || error.code === 'CSV_INVALID_CLOSING_QUOTE')
    return 'a quote in the wrong place';
  if (error.code === 'CSV_MAX_RECORD_SIZE') return `longer than ${MAX_RECORD_BYTES} bytes`;
  return error.message.split('\n')[0]!;
}
