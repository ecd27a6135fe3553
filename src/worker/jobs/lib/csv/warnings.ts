import type { FileEncoding } from './encoding.js';
import type { CsvSource } from './records.js';

interface Findings {
  encoding: FileEncoding;
  source: CsvSource;
  hasHeader: boolean;
  rows: number;
  rejected: number;
  /** Why rows were rejected. */
  reasons: string;
  /** Records of nothing but delimiters. */
  blank: number;
  /** Columns whose numbers may have a point between thousands. */
  grouped: string[];
}

/** What somebody has to know who takes an import for all that was in the file. */
export function warningsOf(found: Findings): string[] {
  const { encoding, source, hasHeader, rows, rejected, reasons, blank, grouped } = found;
  const warnings: string[] = [];
  if (rejected > 0) warnings.push(`${rejected} of ${counted(rows, 'row')} rejected: ${reasons}`);
  if (encoding.guessed) {
    warnings.push('The file is not UTF-8 and was read as Windows-1252; give `encoding` if it is another one');
  }
  if (source.backslashesDoubtful) {
    warnings.push(
      'Quotes are escaped with backslashes, but not all backslashes are: those that are not before a quote were kept as they are',
    );
  }
  if (source.titles > 0) {
    warnings.push(`${counted(source.titles, 'line')} before the header left out`);
  }
  if (hasHeader && source.headerDoubtful) {
    warnings.push(
      'The first line looks like a row but was taken for the names of the columns; with `header: "none"` it is imported',
    );
  }
  if (blank > 0) warnings.push(`${counted(blank, 'row')} of nothing but delimiters left out`);
  if (grouped.length > 0) {
    const names = grouped.slice(0, 5).map((name) => JSON.stringify(name));
    warnings.push(
      `The point in ${names.join(', ')}${grouped.length > 5 ? ' and others' : ''} may separate thousands (1.234); kept as text`,
    );
  }
  if (rows === 0) warnings.push('The file has no rows');
  return warnings;
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
