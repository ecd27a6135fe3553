import { isUtf8 } from 'node:buffer';
import type { CsvError, Options, parse as parseCsv } from 'csv-parse/sync';
import { type Backslashes, doubleQuotes, readWithBackslashes, unescapeFields } from './backslash.js';
import { type LineFault, readFields } from './line.js';
import { afterLineEnd, countLines, isLineEnd, lastLineStart, lineEnd } from './line-ends.js';

/** One record of a CSV file, or why it is none. `line` is where it begins. */
export type CsvRecord =
  | { line: number; fields: string[] }
  /** `excerpt`: how the text begins that was given up. */
  | { line: number; error: string; excerpt: string };

export interface Dialect {
  delimiter: string;
  /** Spaces around fields are there for the eye. */
  padded: boolean;
  /** Quotes are where RFC 4180 has them; with anything else a line is given up at once. */
  strict?: boolean;
  /** How many fields a record has, where that is known. */
  width?: number | undefined;
  /** How quotes are escaped with backslashes; absent where they are doubled. */
  backslashes?: Backslashes | undefined;
}

/** A record may have this many bytes. */
const MAX_RECORD_BYTES = 1024 * 1024;
/** A quote that is open for longer than this was never meant to be closed. */
const LOOK_AHEAD_BYTES = 8 * 1024 * 1024;
const EXCERPT_BYTES = 400;
const [CR, QUOTE, BACKSLASH] = [13, 34, 92];

/**
 * Cuts text into records. csv-parse does the work; this class decides how it goes on where a record is broken: only the
 * line in which the broken record begins is given up, and reading goes on with the next one.
 */
export class RecordSplitter {
  /** Records of nothing but delimiters and spaces: they are left out. */
  blank = 0;
  private rest: Buffer = Buffer.alloc(0);
  /** No look at the rest before it is this long: a long field would be read again with each chunk. */
  private enough = 0;
  /** The line in which the rest begins. */
  private line = 1;
  /** Within a line that is too long. */
  private skipping = false;
  /** A quote was given up as never closed; if it was a long field after all, its end is still to come. */
  private doubtful = false;
  private readonly options: Options;
  private readonly anyEnd: Options;

  constructor(
    private readonly parse: typeof parseCsv,
    private readonly dialect: Dialect,
    /** What is wrong with a record that has bytes without a meaning; empty when there are none. */
    private readonly damage = '',
    /** So many lines at the beginning are passed over. */
    private toPass = 0,
  ) {
    const { delimiter, padded } = dialect;
    this.options = {
      delimiter,
      relax_column_count: true,
      skip_empty_lines: true,
      record_delimiter: '\n',
      ltrim: padded,
      rtrim: padded,
    };
    this.anyEnd = { ...this.options, record_delimiter: ['\r\n', '\n', '\r'] };
  }

  /** Takes the next piece of the text. @returns the records that have become whole */
  push(chunk: Buffer): CsvRecord[] {
    this.rest = this.rest.length > 0 ? Buffer.concat([this.rest, chunk]) : chunk;
    return this.rest.length < this.enough ? [] : this.split(false);
  }

  end(): CsvRecord[] {
    return this.split(true);
  }

  private split(final: boolean): CsvRecord[] {
    const records: CsvRecord[] = [];
    const text = this.rest;
    let at = 0;
    while (this.toPass > 0) {
      const end = lineEnd(text, at);
      if (!final && (end === text.length || (end === text.length - 1 && text[end] === CR))) {
        this.rest = text.subarray(at);
        return records;
      }
      at = afterLineEnd(text, end);
      this.toPass--;
      this.line++;
    }
    if (this.skipping) {
      at = lineEnd(text, 0);
      if (at === text.length && !final) {
        this.rest = Buffer.alloc(0);
        return records;
      }
      this.skipping = false;
      this.line += 1;
      at = afterLineEnd(text, at);
    }
    const stop = final ? text.length : lastLineStart(text);
    // Looked at once for the whole piece: there may be a broken record in each line.
    const piece: Piece = {
      text,
      doubled: this.dialect.backslashes ? doubleQuotes(text) : text,
      stop,
      // csv-parse is faster with one kind of line end.
      options: text.includes(CR) ? this.anyEnd : this.options,
      suspicious: text.includes(0) || (this.damage !== '' && this.isDamaged(text)),
    };
    while (at < stop) {
      const { end, error } = this.readRecords(piece, at, records);
      at = end;
      if (!error) break;
      const unclosed = error.code === 'CSV_QUOTE_NOT_CLOSED';
      if (unclosed && !final && text.length - at < LOOK_AHEAD_BYTES) break;
      at = this.readLine(piece, at, error, records);
      // Where one line has such quotes, others have: csv-parse would have to begin anew at each.
      while (at < stop) {
        const next = this.tryLine(piece, at, records);
        if (next === undefined) break;
        at = next;
      }
    }
    if (stop <= at && text.length - at > LOOK_AHEAD_BYTES) {
      records.push({ line: this.line, error: TOO_LONG, excerpt: excerpt(text, at) });
      this.skipping = true;
      at = text.length;
    }
    this.rest = text.subarray(at);
    this.enough = this.rest.length > 256 * 1024 ? Math.min(2 * this.rest.length, LOOK_AHEAD_BYTES) : 0;
    return records;
  }

  /** Reads records as RFC 4180 has them, up to the first that is broken. */
  private readRecords(
    { text, doubled, stop, options, suspicious }: Piece,
    from: number,
    records: CsvRecord[],
  ) {
    let end = from;
    const error = this.attempt(doubled.subarray(from, stop), options, (fields, bytes) => {
      end = this.add(text, end, from + bytes, fields, suspicious, records);
    });
    if (!error) {
      this.line += countLines(text, end, stop);
      end = stop;
    }
    return { end, error };
  }

  /** Runs csv-parse. @returns why it stopped before the end */
  private attempt(
    text: Buffer,
    options: Options,
    onRecord: (fields: string[], bytes: number) => void,
  ): CsvError | undefined {
    try {
      this.parse(text, {
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

  /** Takes a record that lies between two places. @returns the end of it */
  private add(
    text: Buffer,
    from: number,
    end: number,
    fields: string[],
    suspicious: boolean,
    records: CsvRecord[],
  ): number {
    let start = from;
    while (start < end && isLineEnd(text[start])) start++;
    this.line += countLines(text, from, start);
    const { line } = this;
    this.line += countLines(text, start, end);
    if (isByteOrderMark(text, start)) fields[0] = fields[0]!.replace(/^\ufeff/, '');
    if (isBlank(fields) && !text.subarray(start, end).includes(QUOTE)) {
      this.blank++;
      return end;
    }
    const bytes = text.subarray(start, end);
    let error = bytes.length > MAX_RECORD_BYTES ? TOO_LONG : suspicious ? this.faultOf(bytes) : undefined;
    const { backslashes, delimiter } = this.dialect;
    if (!error && backslashes && bytes.includes(BACKSLASH)) {
      error = unescapeFields(fields, bytes, { backslashes, delimiter });
    }
    if (error) records.push({ line, error, excerpt: excerpt(text, start, end) });
    else records.push({ line, fields });
    if (this.doubtful && fields.length === this.dialect.width) this.doubtful = false;
    return end;
  }

  private faultOf(bytes: Buffer): string | undefined {
    if (bytes.includes(0)) return HAS_NUL;
    return this.damage !== '' && this.isDamaged(bytes) ? this.damage : undefined;
  }

  /** A genuine U+FFFD in a UTF-8 file is text like any other; in other encodings the decoder has put it there. */
  private isDamaged(bytes: Buffer): boolean {
    return this.damage === 'not UTF-8' ? !isUtf8(bytes) : bytes.includes('\ufffd');
  }

  /**
   * Reads one line by itself where the record that begins in it is broken, or gives the line up.
   * @returns where the next line begins
   */
  private readLine(piece: Piece, from: number, reason: CsvError, records: CsvRecord[]): number {
    const { text, start, end, line } = this.lineAt(piece, from);
    const fields = this.dialect.strict ? 'misplaced' : this.readLoosely(line);
    if (typeof fields !== 'string') return this.add(text, from, end, fields, true, records);
    this.giveUp(piece, from, explain(reason), records);
    this.doubtful =
      !this.doubtful &&
      this.attempt(piece.doubled.subarray(start, end), this.anyEnd, () => {})?.code ===
        'CSV_QUOTE_NOT_CLOSED';
    return end;
  }

  /**
   * Reads the next line by itself.
   * @returns where the line after it begins; `undefined` where csv-parse has to look: a quoted field may go on
   */
  private tryLine(piece: Piece, from: number, records: CsvRecord[]): number | undefined {
    if (this.dialect.strict || this.doubtful) return undefined;
    const { text, end, line } = this.lineAt(piece, from);
    if (line.doubled === '') return undefined;
    const { delimiter, padded } = this.dialect;
    const read = readFields(line.doubled, { delimiter, trim: padded });
    const fields = read === 'misplaced' ? this.readLoosely(line) : read;
    if (fields === 'unclosed') return undefined;
    if (fields === 'misplaced') this.giveUp(piece, from, MISPLACED, records);
    else this.add(text, from, end, fields, piece.suspicious, records);
    return end;
  }

  /** The next line that is not empty, without its line end. */
  private lineAt({ text, doubled, stop }: Piece, from: number) {
    let start = from;
    while (start < stop && isLineEnd(text[start])) start++;
    const end = Math.min(lineEnd(text, start), stop);
    const source = text.toString('utf8', start, end);
    const line = { source, doubled: doubled === text ? source : doubled.toString('utf8', start, end) };
    return { text, start, end: Math.min(afterLineEnd(text, end), stop), line };
  }

  private giveUp(piece: Piece, from: number, reason: string, records: CsvRecord[]): void {
    const { text, start, end, line } = this.lineAt(piece, from);
    this.line += countLines(text, from, start);
    const error = reason === MISPLACED ? this.misplacedIn(line.source) : reason;
    records.push({ line: this.line, error, excerpt: excerpt(text, start, end) });
    this.line += countLines(text, start, end);
  }

  private misplacedIn(line: string): string {
    if (!line.includes('\\"')) return MISPLACED;
    const { delimiter, backslashes } = this.dialect;
    const other = backslashes ? readFields(line, { delimiter }) : readWithBackslashes(line, delimiter);
    if (typeof other === 'string') return MISPLACED;
    return backslashes ? NOT_ESCAPED_HERE : NOT_DOUBLED_HERE;
  }

  /** Reads a line with spaces around its quotes, or with quotes in the middle of fields (`5" pipe`), which are text. */
  private readLoosely({ source, doubled }: { source: string; doubled: string }): string[] | LineFault {
    const { delimiter, padded } = this.dialect;
    const trimmed = readFields(doubled, { delimiter, trim: true });
    if (typeof trimmed !== 'string') return trimmed;
    // The end of a quoted field whose beginning was given up: these are no fields of a row.
    if (this.doubtful) {
      const tail = new RegExp(`"\\s*(${delimiter.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}|$)`);
      if (tail.test(doubled.trimEnd())) return 'misplaced';
    }
    const original = doubled === source ? undefined : source;
    return readFields(doubled, { delimiter, trim: padded, loose: true, source: original });
  }
}

/** What of the text is to be read at a time. */
interface Piece {
  text: Buffer;
  /** The same, with `""` for each `\"` that is an escaped quote. */
  doubled: Buffer;
  stop: number;
  options: Options;
  suspicious: boolean;
}

const TOO_LONG = `longer than ${MAX_RECORD_BYTES} bytes`;
const HAS_NUL = 'has a NUL character';
const MISPLACED = 'a quote in the wrong place';
const NOT_DOUBLED_HERE =
  'a backslash before a quote, but other rows do not escape quotes that way: ambiguous';
const NOT_ESCAPED_HERE =
  'a quote after a backslash ends its field, but other rows escape quotes with backslashes: ambiguous';

/** DOS ended a text with Ctrl-Z. */
const isBlank = (fields: string[]): boolean =>
  fields.every((field) => field.trim() === '') || (fields.length === 1 && fields[0] === '\x1a');

/** Files that were put together have one before each header, which is no part of a value. */
const isByteOrderMark = (text: Buffer, at: number): boolean =>
  text[at] === 0xef && text[at + 1] === 0xbb && text[at + 2] === 0xbf;

/** Of the errors of csv-parse, all but one are about the place of a quote. */
const explain = ({ code }: CsvError): string =>
  code === 'CSV_QUOTE_NOT_CLOSED' ? 'a quote is not closed' : MISPLACED;

const excerpt = (text: Buffer, start: number, end = text.length): string =>
  text
    .subarray(start, Math.min(end, start + EXCERPT_BYTES))
    .toString()
    .replace(/[\r\n]+$/, '');
