import { isUtf8 } from 'node:buffer';
import type { CsvError } from 'csv-parse/sync';
import { type Backslashes, readWithBackslashes } from './backslash.js';
import { readFields } from './line.js';

/** Maximum size of a record. */
export const MAX_RECORD_BYTES = 1024 * 1024;
const EXCERPT_BYTES = 400;

export const TOO_LONG = `longer than ${MAX_RECORD_BYTES} bytes`;
const HAS_NUL = 'contains a NUL character';
export const MISPLACED = 'misplaced quote';
const NOT_DOUBLED_HERE =
  'a backslash before a quote, but other rows do not escape quotes that way (ambiguous)';
const NOT_ESCAPED_HERE =
  'a quote after a backslash ends its field, but other rows escape quotes with backslashes (ambiguous)';

/**
 * Returns the fault of a record's bytes, if they have one.
 * @param damage the rejection reason for invalid bytes; empty if the file has none
 */
export function byteFault(bytes: Buffer, damage: string): string | undefined {
  if (bytes.includes(0)) return HAS_NUL;
  return isDamaged(bytes, damage) ? damage : undefined;
}

/** In a UTF-8 file U+FFFD is ordinary text; in other encodings the decoder inserts it for invalid bytes. */
export function isDamaged(bytes: Buffer, damage: string): boolean {
  if (damage === '') return false;
  return damage === 'not UTF-8' ? !isUtf8(bytes) : bytes.includes('\ufffd');
}

/** Returns the rejection reason for a line with a misplaced quote. */
export function misplacedIn(
  line: string,
  { delimiter, backslashes }: { delimiter: string; backslashes?: Backslashes | undefined },
): string {
  if (!line.includes('\\"')) return MISPLACED;
  const other = backslashes ? readFields(line, { delimiter }) : readWithBackslashes(line, delimiter);
  if (typeof other === 'string') return MISPLACED;
  return backslashes ? NOT_ESCAPED_HERE : NOT_DOUBLED_HERE;
}

/** All other errors of csv-parse are about the position of a quote. */
export const explain = ({ code }: CsvError): string =>
  code === 'CSV_QUOTE_NOT_CLOSED' ? 'unclosed quote' : MISPLACED;

export const excerpt = (text: Buffer, start: number, end = text.length): string =>
  text
    .subarray(start, Math.min(end, start + EXCERPT_BYTES))
    .toString()
    .replace(/[\r\n]+$/, '');
