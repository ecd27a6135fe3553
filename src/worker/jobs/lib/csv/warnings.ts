import type { FileEncoding } from './encoding.js';
import type { CsvSource } from './records.js';

interface Findings {
  encoding: FileEncoding;
  source: CsvSource;
  hasHeader: boolean;
  rows: number;
  rejected: number;
  /** The most frequent reasons for rejections. */
  reasons: string;
  /** Number of blank records (only delimiters and spaces). */
  blank: number;
  /** Columns stored as text because the point in their numbers may separate thousands. */
  grouped: string[];
}

/** Lists what was guessed, skipped or imported with changes. */
export function warningsOf(found: Findings): string[] {
  const { encoding, source, hasHeader, rows, rejected, reasons, blank, grouped } = found;
  const warnings: string[] = [];
  if (rejected > 0) warnings.push(`${rejected} of ${counted(rows, 'row')} rejected: ${reasons}`);
  if (encoding.guessed) {
    warnings.push(
      'The file is not UTF-8 and was read as Windows-1252. Set `encoding` if it has another encoding',
    );
  }
  if (source.backslashesDoubtful) {
    warnings.push(
      'Quotes are escaped with backslashes, but some backslashes are not escaped. Backslashes that do not precede a quote were kept',
    );
  }
  if (source.titles > 0) {
    warnings.push(`${counted(source.titles, 'line')} before the header skipped`);
  }
  if (hasHeader && source.headerDoubtful) {
    warnings.push(
      'The first line looks like a row but was used as the header. Set `header: "none"` to import it',
    );
  }
  if (blank > 0) warnings.push(`${counted(blank, 'blank row')} skipped`);
  if (grouped.length > 0) {
    const names = grouped.slice(0, 5).map((name) => JSON.stringify(name));
    warnings.push(
      `The point in ${names.join(', ')}${grouped.length > 5 ? ' and others' : ''} may separate thousands (1.234). Stored as text`,
    );
  }
  if (rows === 0) warnings.push('The file has no rows');
  return warnings;
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
