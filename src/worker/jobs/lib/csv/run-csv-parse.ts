import type { CsvError, Options, parse as parseCsv } from 'csv-parse/sync';

/** Runs csv-parse. @returns the error if it stopped before the end */
export function runCsvParse(
  parse: typeof parseCsv,
  text: Buffer,
  options: Options,
  onRecord: (fields: string[], bytes: number) => void,
): CsvError | undefined {
  try {
    parse(text, {
      ...options,
      on_record: (fields: unknown, { bytes }) => {
        onRecord(fields as string[], bytes);
        return null;
      },
    });
    return undefined;
  } catch (error) {
    if (typeof (error as CsvError).code !== 'string') throw error;
    return error as CsvError;
  }
}
