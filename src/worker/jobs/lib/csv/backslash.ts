import type { Encoding } from './encoding.js';
import { type LineFault, readFields } from './line.js';
import { readText } from './text.js';

/**
 * How a file uses backslashes that does not double its quotes: `"a \"b\""`. Either a backslash is escaped too (`\\`, as
 * MySQL and phpMyAdmin do), or it is kept as it is except before quotes (as Spark does).
 */
export type Backslashes = 'escaped' | 'kept';

/** What a file says about its backslashes. */
export interface BackslashFinding {
  /** Absent for a file by RFC 4180, in which a backslash is a letter like any other. */
  backslashes: Backslashes | undefined;
  /** Some backslashes look escaped and others do not. */
  backslashesDoubtful: boolean;
}

/** What the lines of a file say. */
interface Evidence {
  /** Lines that make more sense with quotes escaped by backslashes. */
  backslash: number;
  /** Lines that make more sense by RFC 4180. */
  rfc: number;
  /** Places with several backslashes in a row. */
  pairs: number;
  /** Lines that have the usual number of fields if backslashes escape delimiters. */
  delimiters: number;
  /** Fields that are `\N`. */
  nulls: number;
  /** Backslashes that would escape nothing. */
  lone: number;
}

/** More lines than this are not looked at. */
const MAX_LINES = 10_000;
const MAX_LINE_BYTES = 1024 * 1024;
const [LF, CR, QUOTE, BACKSLASH] = [10, 13, 34, 92];
const ESCAPED_QUOTE = Buffer.from('\\"');

/**
 * Finds out whether quotes are escaped with backslashes, by the lines of a file that have backslashes or doubled quotes:
 * each is read both ways, and most of those that make sense in only one way decide. Where neither way has more, RFC 4180
 * is taken; but where nothing speaks for it, `\N` for NULL is there, and each other backslash escapes something, the
 * file is of MySQL.
 */
export async function findBackslashes(
  path: string,
  encoding: Encoding,
  { delimiter, width }: { delimiter: string; width?: number | undefined },
  signal: AbortSignal,
): Promise<BackslashFinding> {
  const seen: Evidence = { backslash: 0, rfc: 0, pairs: 0, delimiters: 0, nulls: 0, lone: 0 };
  let lines = 0;
  let carry: Buffer = Buffer.alloc(0);
  for await (const chunk of readText(path, encoding, signal)) {
    const text: Buffer = carry.length > 0 ? Buffer.concat([carry, chunk]) : chunk;
    const end = Math.max(text.lastIndexOf(LF), text.lastIndexOf(CR)) + 1;
    carry = text.length - end > MAX_LINE_BYTES ? Buffer.alloc(0) : text.subarray(end);
    for (const line of linesOfInterest(text.subarray(0, end))) {
      note(line, delimiter, width, seen);
      if (++lines === MAX_LINES) return conclude(seen);
    }
  }
  for (const line of linesOfInterest(carry)) note(line, delimiter, width, seen);
  return conclude(seen);
}

function conclude({ backslash, rfc, pairs, delimiters, nulls, lone }: Evidence): BackslashFinding {
  const isMySql = backslash === 0 && rfc === 0 && lone === 0 && nulls > 0 && pairs + delimiters > 0;
  if (isMySql) return { backslashes: 'escaped', backslashesDoubtful: false };
  if (backslash <= rfc) return { backslashes: undefined, backslashesDoubtful: false };
  return { backslashes: lone === 0 ? 'escaped' : 'kept', backslashesDoubtful: lone > 0 && pairs > 0 };
}

/** The lines that have a backslash, or two quotes in a row. */
function* linesOfInterest(text: Buffer): Generator<string> {
  const next = (what: string, from: number): number => {
    const at = text.indexOf(what, from);
    return at === -1 ? Number.POSITIVE_INFINITY : at;
  };
  let [backslash, quotes] = [next('\\', 0), next('""', 0)];
  for (let at = Math.min(backslash, quotes); at < text.length; at = Math.min(backslash, quotes)) {
    const start = Math.max(text.lastIndexOf(LF, at), text.lastIndexOf(CR, at)) + 1;
    let end = at;
    while (end < text.length && text[end] !== LF && text[end] !== CR) end++;
    yield text.toString('utf8', start, end);
    if (backslash < end) backslash = next('\\', end);
    if (quotes < end) quotes = next('""', end);
  }
}

function note(line: string, delimiter: string, width: number | undefined, seen: Evidence): void {
  const escaped = sense(readWithBackslashes(line, delimiter));
  const rfc = sense(readFields(line, { delimiter }));
  if (escaped > rfc) seen.backslash++;
  if (rfc > escaped) seen.rfc++;
  if (line.includes(`\\${delimiter}`)) {
    const split = widthOf(readFields(line, { delimiter }));
    const joined = widthOf(readFields(line, { delimiter, escapes: true }));
    if (joined === width && split !== width) seen.delimiters++;
    if (split === width && joined !== width) seen.rfc++;
  }
  for (const { 0: all, 1: run, 2: after, index } of line.matchAll(/(\\+)([\s\S]?)/g)) {
    if (run!.length > 1) seen.pairs++;
    if (run!.length % 2 === 0 || after === '' || after === '"' || after === '0') continue;
    if (after === delimiter) continue;
    const isNull =
      after === 'N' &&
      isFieldEnd(line[index - 1], delimiter) &&
      isFieldEnd(line[index + all.length], delimiter);
    seen[isNull ? 'nulls' : 'lone']++;
  }
}

const widthOf = (read: string[] | LineFault): number => (typeof read === 'string' ? 0 : read.length);

const isFieldEnd = (char: string | undefined, delimiter: string): boolean =>
  char === undefined || char === delimiter;

/** A quoted field that goes on in the next line makes some sense. */
const sense = (read: string[] | LineFault): number =>
  read === 'misplaced' ? 0 : read === 'unclosed' ? 1 : 2;

/** Reads a line in which quotes are escaped with backslashes and never doubled. */
export const readWithBackslashes = (line: string, delimiter: string): string[] | LineFault =>
  readFields(line.replace(/\\[\\"]/g, '  '), { delimiter, doubled: false });

/** Replaces `\"` by `""`, which csv-parse reads; all other bytes stay where they are. */
export function doubleQuotes(text: Buffer): Buffer {
  let changed: Buffer | undefined;
  for (let at = text.indexOf(ESCAPED_QUOTE); at !== -1; at = text.indexOf(ESCAPED_QUOTE, at + 2)) {
    let run = 1;
    while (text[at - run] === BACKSLASH) run++;
    if (run % 2 === 0) continue;
    changed ??= Buffer.from(text);
    changed[at] = QUOTE;
  }
  return changed ?? text;
}

/**
 * Makes of escaped backslashes and delimiters what they mean.
 * @param bytes the record that the fields are of
 * @returns what is wrong with the record
 */
export function unescapeFields(
  fields: string[],
  bytes: Buffer,
  { backslashes, delimiter }: { backslashes: Backslashes; delimiter: string },
): string | undefined {
  if (backslashes === 'kept') {
    return bytes.includes('\\\\"') ? 'two backslashes before a quote are ambiguous' : undefined;
  }
  if (bytes.includes(`\\${delimiter}`)) {
    const line = doubleQuotes(bytes)
      .toString()
      .replace(/[\r\n]+$/, '');
    const joined = readFields(line, { delimiter, escapes: true });
    if (typeof joined !== 'string') fields.splice(0, fields.length, ...joined);
  }
  for (const [i, field] of fields.entries()) {
    const text = unescapeField(field, delimiter);
    if (text === undefined) return 'a backslash that escapes nothing: ambiguous';
    if (text.includes('\0')) return 'has a NUL character';
    fields[i] = text;
  }
  return undefined;
}

/** The content of a field in which backslashes are escaped; `undefined` where one escapes nothing. */
function unescapeField(field: string, delimiter: string): string | undefined {
  if (!field.includes('\\') || field === '\\N') return field;
  let sound = true;
  const text = field.replace(/\\([\s\S]?)/g, (_all, char: string) => {
    if (char === '0') return '\0';
    if (char !== '\\' && char !== '\n' && char !== '\r' && char !== delimiter) sound = false;
    return char;
  });
  return sound ? text : undefined;
}
