import type { parse as parseCsv } from 'csv-parse/sync';
import type { Backslashes } from './backslash.js';
import { type CsvRecord, type Dialect, RecordSplitter } from './splitter.js';
import { typeOf } from './types.js';

/** The first one wins a tie. Commas come last because they also occur in prose and in numbers. */
const DELIMITERS = ['\t', '|', ';', ','];
/** For a file with a single column, which may contain all other delimiters. */
const NO_DELIMITER = '\x1f';
const SAMPLE_BYTES = 64 * 1024;
/** Maximum number of lines in the sample: with a wrong delimiter every line may be malformed, which is slow to parse. */
const SAMPLE_LINES = 200;
/** Number of records that may precede the header. */
const MAX_TITLES = 40;

/** How to read a file, and what precedes its rows. */
export interface FileDialect extends Dialect {
  /** Line number of the header, counted from 1. The lines before it contain no rows. */
  headerLine: number;
  /** Number of lines with titles before the header. */
  titles: number;
  /** The header looks like a row, not like column names. */
  headerDoubtful: boolean;
}

/**
 * Detects the delimiter and the header from the start of a file.
 * @param text the start of the file, or the whole file
 * @param whole whether `text` is the whole file
 * @param ways how backslashes may be used, in order of preference
 */
export function findDialect(
  parse: typeof parseCsv,
  text: Buffer,
  whole: boolean,
  given: string | undefined,
  ways: (Backslashes | undefined)[] = [undefined, 'kept'],
): FileDialect {
  const instruction = excelInstruction(text);
  const firstLine = instruction ? 2 : 1;
  const sample = sampleOf(text.subarray(instruction?.bytes ?? 0), whole);
  const delimiter = given ?? instruction?.delimiter;
  const delimiters = delimiter ? [delimiter] : DELIMITERS;
  const candidates = (sample.includes('\\"') ? ways : ways.slice(0, 1)).flatMap((backslashes) =>
    delimiters.map((candidate) => examine(parse, sample, { delimiter: candidate, backslashes }, true)),
  );
  const best = candidates.reduce((one, other) => (other.score > one.score ? other : one));
  const { records } = examine(parse, sample, best, false);
  const header = findHeader(records, best.width);
  if (!delimiter && !sample.includes(NO_DELIMITER) && isProse(records, header.index)) {
    return findDialect(parse, text, whole, NO_DELIMITER, ways);
  }
  return {
    delimiter: best.score > 0 || delimiter ? best.delimiter : ',',
    padded: isPadded(records),
    width: best.width,
    backslashes: best.backslashes,
    headerLine: header.line + firstLine - 1,
    titles: header.titles,
    headerDoubtful: looksLikeRow(records, header.index),
  };
}

/** Reads the first line `sep=;`, which sets the delimiter in Excel. */
function excelInstruction(text: Buffer): { delimiter: string; bytes: number } | undefined {
  const [line = '', delimiter] =
    /^"?sep=([^"\r\n])"?[,;\t]*(\r\n|\r|\n)/i.exec(text.subarray(0, 100).toString()) ?? [];
  return delimiter === undefined ? undefined : { delimiter, bytes: Buffer.byteLength(line) };
}

/** Returns the start of a text, cut after a complete line if there is one. */
function sampleOf(text: Buffer, whole: boolean): Buffer {
  let lines = 0;
  for (let i = 0; i < Math.min(text.length, SAMPLE_BYTES); i++) {
    if (text[i] !== 10 && text[i] !== 13) continue;
    if (++lines === SAMPLE_LINES) return text.subarray(0, i + 1);
  }
  if (whole && text.length <= SAMPLE_BYTES) return text;
  const start = text.subarray(0, SAMPLE_BYTES);
  const end = Math.max(start.lastIndexOf(10), start.lastIndexOf(13));
  return end > 0 ? start.subarray(0, end) : start;
}

/** Whether the file has a single column, with text that contains the delimiter in places. */
function isProse([first, ...rows]: GoodRecord[], headerIndex: number): boolean {
  if (!first || headerIndex > 0 || widthOf(first.fields) !== 1 || first.fields.length !== 1) return false;
  const counts = new Map<number, number>();
  for (const { fields } of rows) counts.set(fields.length, (counts.get(fields.length) ?? 0) + 1);
  const split = [...counts].filter(([width]) => width > 1).map(([, count]) => count);
  return split.length > 0 && Math.max(...split) <= rows.length / 2;
}

type GoodRecord = Extract<CsvRecord, { fields: string[] }>;

/** Scores a delimiter, 0 to 1. The right delimiter gives most records the same number of fields, more than one. */
function examine(
  parse: typeof parseCsv,
  sample: Buffer,
  { delimiter, backslashes }: Pick<Dialect, 'delimiter' | 'backslashes'>,
  strict: boolean,
) {
  const splitter = new RecordSplitter(parse, { delimiter, backslashes, padded: false, strict });
  const all = [...splitter.push(sample), ...splitter.end()];
  const records = all.filter((record): record is GoodRecord => 'fields' in record);
  const counts = new Map<number, number>();
  for (const { fields } of records) {
    // Some programs end lines with a delimiter, others omit empty fields at the end.
    const width = fields.length;
    if (width > 1) counts.set(width, (counts.get(width) ?? 0) + 1);
  }
  const [width, count] = [...counts].reduce((one, other) => (other[1] > one[1] ? other : one), [1, 0]);
  const inHeader = records[0]?.fields.length === width ? 1.2 : 1;
  const inQuotes = records.some(({ fields }) => fields.some((field) => field.startsWith('"'))) ? 0.5 : 1;
  const score = count === 0 ? 0 : (count / all.length) * (1 - 1 / width) * inHeader * inQuotes;
  return { delimiter, backslashes, width: usualWidth(records), records, score };
}

const widthOf = (fields: string[]): number => fields.findLastIndex((field) => field.trim() !== '') + 1;

/** Returns the most frequent width of records, counted up to the last field that is not empty. */
function usualWidth(records: GoodRecord[]): number {
  const counts = new Map<number, number>();
  for (const { fields } of records) counts.set(widthOf(fields), (counts.get(widthOf(fields)) ?? 0) + 1);
  return [...counts].reduce((one, other) => (other[1] > one[1] ? other : one), [1, 0])[0];
}

/**
 * Finds the header: the first record, unless it is narrower than the rows and a later record has all the names. With
 * two columns of text, a title looks like a header; a later header then counts only if numbers or dates follow it.
 */
function findHeader(records: GoodRecord[], width: number): { line: number; index: number; titles: number } {
  const first = { line: records[0]?.line ?? 1, index: 0, titles: 0 };
  const isTitle = ({ fields }: GoodRecord): boolean =>
    widthOf(fields) < width || ((fields[0] ?? '').startsWith('#') && widthOf(fields) !== width);
  if (width < 2 || !records[0] || !isTitle(records[0])) return first;
  const index = records.findIndex((record) => !isTitle(record));
  const header = records[index];
  if (!header || index > MAX_TITLES) return first;
  const names = header.fields.slice(0, widthOf(header.fields));
  const isName = (name: string): boolean => ['text', 'empty'].includes(typeOf(name));
  const empty = names.filter((name) => name.trim() === '').length;
  if (!names.every(isName) || empty > names.length / 3) return first;
  const rows = records.slice(index + 1, index + 20);
  const typed = rows.some(({ fields }) => fields.some((field) => !isName(field)));
  if (width < 3 && !typed) return first;
  return { line: header.line, index, titles: header.line - 1 };
}

/** Whether all fields that are not empty, except the first of a record, begin with a space. */
function isPadded(records: GoodRecord[]): boolean {
  let padded = 0;
  for (const { fields } of records) {
    for (const field of fields.slice(1)) {
      if (field === '') continue;
      if (!/^ \S|^ {2,}\S|^ +$/.test(field)) return false;
      padded++;
    }
  }
  return padded > 0;
}

/** Whether a header has dates or numbers like the rows below it. Years and consecutive numbers may be column names. */
function looksLikeRow(records: GoodRecord[], index: number): boolean {
  const header = records[index]?.fields ?? [];
  const rows = records.slice(index + 1, index + 21);
  if (rows.length === 0) return false;
  const kinds = header.map((field) => typeOf(field));
  const typed = kinds.flatMap((kind, i) => (kind === 'text' || kind === 'empty' ? [] : [i]));
  if (typed.length === 0) return false;
  if (typed.every((i) => /^(19|20)\d\d$/.test(header[i]?.trim() ?? ''))) return false;
  if (typed.length > 1 && typed.every((i, n) => n === 0 || Number(header[i]) === Number(header[i - 1]) + 1)) {
    return false;
  }
  return kinds.every((kind, i) => {
    const below = rows.map(({ fields }) => typeOf(fields[i] ?? ''));
    const isTyped = (of: string): boolean => of !== 'text' && of !== 'empty';
    return kind === 'text' ? !below.every((of) => isTyped(of)) : kind === 'empty' || below.some(isTyped);
  });
}
