import type { CsvError, Options, parse as parseCsv } from 'csv-parse/sync';
import { type Backslashes, doubleQuotes, unescapeFields } from './backslash.js';
import { readFields, readLoosely } from './line.js';
import { afterLineEnd, countLines, isLineEnd, lastLineStart, lineEnd } from './line-ends.js';
import { lineAt, type Piece } from './piece.js';
import {
  byteFault,
  excerpt,
  explain,
  isDamaged,
  MAX_RECORD_BYTES,
  MISPLACED,
  misplacedIn,
  TOO_LONG,
} from './record-faults.js';
import { runCsvParse } from './run-csv-parse.js';

/** One record of a CSV file, or a malformed one with the reason. `line` is its first line, counted from 1. */
export type CsvRecord =
  | { line: number; fields: string[] }
  /** `excerpt`: the start of the rejected text. */
  | { line: number; error: string; excerpt: string };

export interface Dialect {
  delimiter: string;
  /** Fields are padded with spaces, which are removed. */
  padded: boolean;
  /** Rejects every line that does not follow RFC 4180. */
  strict?: boolean;
  /** Usual number of fields in a record, if known. */
  width?: number | undefined;
  /** How backslashes are used; absent if quotes are escaped by doubling. */
  backslashes?: Backslashes | undefined;
}

/** A quote without an end within this many bytes is treated as never closed. */
const LOOK_AHEAD_BYTES = 8 * 1024 * 1024;
const [CR, QUOTE, BACKSLASH] = [13, 34, 92];

/**
 * Splits text into records with csv-parse, and recovers from malformed ones: only the line in which a malformed record
 * begins is rejected, and reading continues with the next line.
 */
export class RecordSplitter {
  /** Number of blank records (only delimiters and spaces), which are skipped. */
  blank = 0;
  private rest: Buffer = Buffer.alloc(0);
  /** Length at which the rest is parsed again. Without it, a long field would be parsed again with each chunk. */
  private enough = 0;
  /** Line number at which the rest begins. */
  private line = 1;
  /** Inside a line that is too long. */
  private skipping = false;
  /** A quote was treated as never closed. If it was a long field after all, its end is still to come. */
  private doubtful = false;
  private readonly options: Options;
  private readonly anyEnd: Options;

  constructor(
    private readonly parse: typeof parseCsv,
    private readonly dialect: Dialect,
    /** Rejection reason for records with invalid bytes; empty if the file has none. */
    private readonly damage = '',
    /** Number of lines to skip at the start. */
    private linesToSkip = 0,
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

  /** Adds the next chunk of text. @returns the records that are complete now */
  push(chunk: Buffer): CsvRecord[] {
    this.rest = this.rest.length > 0 ? Buffer.concat([this.rest, chunk]) : chunk;
    return this.rest.length < this.enough ? [] : this.split(false);
  }

  /** Ends the text. @returns the remaining records */
  end(): CsvRecord[] {
    return this.split(true);
  }

  private split(final: boolean): CsvRecord[] {
    const records: CsvRecord[] = [];
    const text = this.rest;
    let at = 0;
    while (this.linesToSkip > 0) {
      const end = lineEnd(text, at);
      if (!final && (end === text.length || (end === text.length - 1 && text[end] === CR))) {
        this.rest = text.subarray(at);
        return records;
      }
      at = afterLineEnd(text, end);
      this.linesToSkip--;
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
    // Computed once for the whole piece, because every line may contain a malformed record.
    const piece: Piece = {
      text,
      doubled: this.dialect.backslashes ? doubleQuotes(text) : text,
      stop,
      // csv-parse is faster with a single kind of line end.
      options: text.includes(CR) ? this.anyEnd : this.options,
      suspicious: text.includes(0) || isDamaged(text, this.damage),
    };
    while (at < stop) {
      const { end, error } = this.readRecords(piece, at, records);
      at = end;
      if (!error) break;
      const unclosed = error.code === 'CSV_QUOTE_NOT_CLOSED';
      if (unclosed && !final && text.length - at < LOOK_AHEAD_BYTES) break;
      at = this.readLine(piece, at, error, records);
      // Other lines probably have such quotes too, and csv-parse would have to restart at each of them.
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

  /** Reads records by RFC 4180, up to the first malformed one. */
  private readRecords(
    { text, doubled, stop, options, suspicious }: Piece,
    from: number,
    records: CsvRecord[],
  ) {
    let end = from;
    const error = runCsvParse(this.parse, doubled.subarray(from, stop), options, (fields, bytes) => {
      end = this.add(text, end, from + bytes, fields, suspicious, records);
    });
    if (!error) {
      this.line += countLines(text, end, stop);
      end = stop;
    }
    return { end, error };
  }

  /** Adds the record between two positions. @returns the position after it */
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
    if (isByteOrderMark(text, start)) fields[0] = (fields[0] ?? '').replace(/^\ufeff/, '');
    if (isBlank(fields) && !text.subarray(start, end).includes(QUOTE)) {
      this.blank++;
      return end;
    }
    const bytes = text.subarray(start, end);
    let error =
      bytes.length > MAX_RECORD_BYTES ? TOO_LONG : suspicious ? byteFault(bytes, this.damage) : undefined;
    const { backslashes, delimiter } = this.dialect;
    if (!error && backslashes && bytes.includes(BACKSLASH)) {
      error = unescapeFields(fields, bytes, { backslashes, delimiter });
    }
    if (error) records.push({ line, error, excerpt: excerpt(text, start, end) });
    else records.push({ line, fields });
    if (this.doubtful && fields.length === this.dialect.width) this.doubtful = false;
    return end;
  }

  /**
   * Reads the first line of a malformed record by itself, or rejects the line.
   * @returns the start of the next line
   */
  private readLine(piece: Piece, from: number, reason: CsvError, records: CsvRecord[]): number {
    const { text, start, end, line } = lineAt(piece, from);
    const fields = this.dialect.strict ? 'misplaced' : readLoosely(line, this.dialect, this.doubtful);
    if (typeof fields !== 'string') return this.add(text, from, end, fields, true, records);
    this.reject(piece, from, explain(reason), records);
    this.doubtful =
      !this.doubtful &&
      runCsvParse(this.parse, piece.doubled.subarray(start, end), this.anyEnd, () => {})?.code ===
        'CSV_QUOTE_NOT_CLOSED';
    return end;
  }

  /**
   * Reads the next line by itself.
   * @returns the start of the line after it; `undefined` if csv-parse has to read on because a quoted field may continue
   */
  private tryLine(piece: Piece, from: number, records: CsvRecord[]): number | undefined {
    if (this.dialect.strict || this.doubtful) return undefined;
    const { text, end, line } = lineAt(piece, from);
    if (line.doubled === '') return undefined;
    const { delimiter, padded } = this.dialect;
    const read = readFields(line.doubled, { delimiter, trim: padded });
    const fields = read === 'misplaced' ? readLoosely(line, this.dialect, this.doubtful) : read;
    if (fields === 'unclosed') return undefined;
    if (fields === 'misplaced') this.reject(piece, from, MISPLACED, records);
    else this.add(text, from, end, fields, piece.suspicious, records);
    return end;
  }

  private reject(piece: Piece, from: number, reason: string, records: CsvRecord[]): void {
    const { text, start, end, line } = lineAt(piece, from);
    this.line += countLines(text, from, start);
    const error = reason === MISPLACED ? misplacedIn(line.source, this.dialect) : reason;
    records.push({ line: this.line, error, excerpt: excerpt(text, start, end) });
    this.line += countLines(text, start, end);
  }
}

/** Blank includes a lone Ctrl-Z, with which DOS programs end a text. */
const isBlank = (fields: string[]): boolean =>
  fields.every((field) => field.trim() === '') || (fields.length === 1 && fields[0] === '\x1a');

/** Concatenated files have a byte order mark before each header. It is not part of a value. */
const isByteOrderMark = (text: Buffer, at: number): boolean =>
  text[at] === 0xef && text[at + 1] === 0xbb && text[at + 2] === 0xbf;
