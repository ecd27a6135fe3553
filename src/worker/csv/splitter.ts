import { isUtf8 } from 'node:buffer';
import type { CsvError, Options, parse as parseCsv } from 'csv-parse/sync';

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
}

/** A record may have this many bytes. */
const MAX_RECORD_BYTES = 1024 * 1024;
/** A quote that is open for longer than this was never meant to be closed. */
const LOOK_AHEAD_BYTES = 8 * 1024 * 1024;
const EXCERPT_BYTES = 400;
const [LF, CR, QUOTE] = [10, 13, 34];

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
    const traits = {
      // csv-parse is faster with one kind of line end.
      options: text.includes(CR) ? this.anyEnd : this.options,
      suspicious: text.includes(0) || (this.damage !== '' && this.isDamaged(text)),
    };
    while (at < stop) {
      const { end, error } = this.readRecords(text, at, stop, traits, records);
      at = end;
      if (!error) break;
      const unclosed = error.code === 'CSV_QUOTE_NOT_CLOSED';
      if (unclosed && !final && text.length - at < LOOK_AHEAD_BYTES) break;
      at = this.readLine(text, at, stop, error, records);
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
    text: Buffer,
    from: number,
    stop: number,
    { options, suspicious }: { options: Options; suspicious: boolean },
    records: CsvRecord[],
  ) {
    let end = from;
    const error = this.attempt(text.subarray(from, stop), options, (fields, bytes) => {
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
    if (fields[0]!.trim() === '' && isBlank(fields) && !text.subarray(start, end).includes(QUOTE)) {
      this.blank++;
      return end;
    }
    const error =
      end - start > MAX_RECORD_BYTES
        ? TOO_LONG
        : suspicious
          ? this.faultOf(text.subarray(start, end))
          : undefined;
    if (error) records.push({ line, error, excerpt: excerpt(text, start, end) });
    else records.push({ line, fields });
    if (this.doubtful && fields.length === this.dialect.width) this.doubtful = false;
    return end;
  }

  private faultOf(bytes: Buffer): string | undefined {
    if (bytes.includes(0)) return 'has a NUL character';
    return this.damage !== '' && this.isDamaged(bytes) ? this.damage : undefined;
  }

  /** A genuine U+FFFD in a UTF-8 file is text like any other; in other encodings the decoder has put it there. */
  private isDamaged(bytes: Buffer): boolean {
    return this.damage === 'not UTF-8' ? !isUtf8(bytes) : bytes.includes('\ufffd');
  }

  /**
   * Reads one line by itself where the record that begins in it is broken: with spaces around its quotes, or with quotes
   * in the middle of fields (`5" pipe`), which are text like any other. Else the line is given up.
   * @returns where the next line begins
   */
  private readLine(text: Buffer, from: number, stop: number, reason: CsvError, records: CsvRecord[]): number {
    let start = from;
    while (start < stop && isLineEnd(text[start])) start++;
    const end = Math.min(afterLineEnd(text, lineEnd(text, start)), stop);
    const line = text.subarray(start, end);
    const fields = this.dialect.strict ? undefined : this.readLoosely(line);
    if (fields) return this.add(text, from, end, fields, true, records);
    this.line += countLines(text, from, start);
    records.push({ line: this.line, error: explain(reason), excerpt: excerpt(text, start, end) });
    this.line += countLines(text, start, end);
    this.doubtful =
      !this.doubtful && this.attempt(line, this.anyEnd, () => {})?.code === 'CSV_QUOTE_NOT_CLOSED';
    return end;
  }

  private readLoosely(line: Buffer): string[] | undefined {
    const read = (options: Options): string[] | undefined => {
      let fields: string[] | undefined;
      return this.attempt(line, { ...this.anyEnd, ...options }, (found) => {
        fields = found;
      })
        ? undefined
        : fields;
    };
    const trimmed = read({ ltrim: true, rtrim: true });
    if (trimmed) return trimmed;
    const { delimiter } = this.dialect;
    // The end of a quoted field whose beginning was given up: these are no fields of a row.
    const tail = new RegExp(`"\\s*(${delimiter.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}|$)`).test(
      line.toString().trimEnd(),
    );
    if (this.doubtful && tail) return undefined;
    const codes = new Set<string>();
    this.attempt(
      line,
      {
        ...this.anyEnd,
        skip_records_with_error: true,
        on_skip: (error) => void codes.add(error?.code ?? ''),
      },
      () => {},
    );
    return codes.size === 1 && codes.has('INVALID_OPENING_QUOTE') ? read({ relax_quotes: true }) : undefined;
  }
}

const TOO_LONG = `longer than ${MAX_RECORD_BYTES} bytes`;

const isBlank = (fields: string[]): boolean => fields.every((field) => field.trim() === '');

function explain({ code, message }: CsvError): string {
  if (code === 'CSV_QUOTE_NOT_CLOSED') return 'a quote is not closed';
  if (code === 'INVALID_OPENING_QUOTE' || code === 'CSV_INVALID_CLOSING_QUOTE') {
    return 'a quote in the wrong place';
  }
  return message.split('\n')[0]!;
}

const excerpt = (text: Buffer, start: number, end = text.length): string =>
  text
    .subarray(start, Math.min(end, start + EXCERPT_BYTES))
    .toString()
    .replace(/[\r\n]+$/, '');

const isLineEnd = (byte: number | undefined): boolean => byte === LF || byte === CR;

/** Where the line ends that a place is in: at its line end, or at the end of the text. */
function lineEnd(text: Buffer, from: number): number {
  const lf = text.indexOf(LF, from);
  const line = lf === -1 ? text : text.subarray(0, lf);
  const cr = line.indexOf(CR, from);
  return cr === -1 ? line.length : cr;
}

const afterLineEnd = (text: Buffer, at: number): number =>
  Math.min(text[at] === CR && text[at + 1] === LF ? at + 2 : at + 1, text.length);

/** Where the last line begins, which may not be whole. A CR at the very end may be half of a line end. */
function lastLineStart(text: Buffer): number {
  const lf = text.lastIndexOf(LF);
  const cr = text.lastIndexOf(CR, text.length - 2);
  return text.length < 2 ? lf + 1 : Math.max(lf, cr) + 1;
}

/** How many lines end between two places, CR LF being one end. */
function countLines(text: Buffer, from: number, to: number): number {
  let lines = 0;
  for (let i = from; i < to; i++) {
    const byte = text[i];
    if (byte === LF || (byte === CR && text[i + 1] !== LF)) lines++;
  }
  return lines;
}
