import type { Encoding } from './encoding.js';
import { type LineFault, readFields } from './line.js';
import { readText } from './text.js';

/**
 * The form of the other backslashes in a file that escapes quotes with backslashes (`"a \"b\""`). `escaped`: written as
 * `\\` (MySQL and phpMyAdmin). `kept`: not escaped (Spark).
 */
export type Backslashes = 'escaped' | 'kept';

/** How a file uses backslashes. */
export interface BackslashFinding {
  /** Absent if the file follows RFC 4180, in which a backslash has no special meaning. */
  backslashes: Backslashes | undefined;
  /** Some backslashes look escaped and others do not. */
  backslashesDoubtful: boolean;
}

/** Counts of the evidence for each convention. */
interface Evidence {
  /** Lines that fit quotes escaped with backslashes better. */
  backslash: number;
  /** Lines that fit RFC 4180 better. */
  rfc: number;
  /** Runs of several backslashes. */
  pairs: number;
  /** Lines that have the usual number of fields only if backslashes escape delimiters. */
  delimiters: number;
  /** Fields that are `\N`. */
  nulls: number;
  /** Backslashes before a character that needs no escaping. */
  lone: number;
}

/** Maximum number of lines to examine. */
const MAX_LINES = 10_000;
const MAX_LINE_BYTES = 1024 * 1024;
const [LF, CR, QUOTE, BACKSLASH] = [10, 13, 34, 92];
const ESCAPED_QUOTE = Buffer.from('\\"');

/**
 * Detects whether a file escapes quotes with backslashes. Each line with backslashes or doubled quotes is read both
 * ways, and the majority of the lines that fit only one way decides. A tie means RFC 4180, except for a file that
 * MySQL has written: no line supports RFC 4180, `\N` stands for NULL, and every other backslash escapes something.
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
      examine(line, delimiter, width, seen);
      if (++lines === MAX_LINES) return conclude(seen);
    }
  }
  for (const line of linesOfInterest(carry)) examine(line, delimiter, width, seen);
  return conclude(seen);
}

function conclude({ backslash, rfc, pairs, delimiters, nulls, lone }: Evidence): BackslashFinding {
  const isMySql = backslash === 0 && rfc === 0 && lone === 0 && nulls > 0 && pairs + delimiters > 0;
  if (isMySql) return { backslashes: 'escaped', backslashesDoubtful: false };
  if (backslash <= rfc) return { backslashes: undefined, backslashesDoubtful: false };
  return { backslashes: lone === 0 ? 'escaped' : 'kept', backslashesDoubtful: lone > 0 && pairs > 0 };
}

/** Yields the lines that have a backslash or two quotes in a row. */
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

function examine(line: string, delimiter: string, width: number | undefined, seen: Evidence): void {
  const escaped = fitOf(readWithBackslashes(line, delimiter));
  const rfc = fitOf(readFields(line, { delimiter }));
  if (escaped > rfc) seen.backslash++;
  if (rfc > escaped) seen.rfc++;
  if (line.includes(`\\${delimiter}`)) {
    const split = widthOf(readFields(line, { delimiter }));
    const joined = widthOf(readFields(line, { delimiter, escapes: true }));
    if (joined === width && split !== width) seen.delimiters++;
    if (split === width && joined !== width) seen.rfc++;
  }
  for (const { 0: all, 1: run = '', 2: after, index } of line.matchAll(/(\\+)([\s\S]?)/g)) {
    if (run.length > 1) seen.pairs++;
    if (run.length % 2 === 0 || after === '' || after === '"' || after === '0') continue;
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

/** How well a line fits: 0 to 2. A quoted field that continues on the next line fits partly. */
const fitOf = (read: string[] | LineFault): number =>
  read === 'misplaced' ? 0 : read === 'unclosed' ? 1 : 2;

/** Reads a line in which quotes are escaped with backslashes and are never doubled. */
export const readWithBackslashes = (line: string, delimiter: string): string[] | LineFault =>
  readFields(line.replace(/\\[\\"]/g, '  '), { delimiter, doubled: false });

/** Replaces `\"` with `""`, which csv-parse understands. No byte changes its position. */
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
 * Resolves escaped backslashes and delimiters, in place.
 * @param bytes the record of the fields
 * @returns why the record is rejected, or `undefined`
 */
export function unescapeFields(
  fields: string[],
  bytes: Buffer,
  { backslashes, delimiter }: { backslashes: Backslashes; delimiter: string },
): string | undefined {
  if (backslashes === 'kept') {
    return bytes.includes('\\\\"') ? 'two backslashes before a quote (ambiguous)' : undefined;
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
    if (text === undefined) return 'a backslash that escapes nothing (ambiguous)';
    if (text.includes('\0')) return 'contains a NUL character';
    fields[i] = text;
  }
  return undefined;
}

/** Resolves the escapes in a field; returns `undefined` if a backslash escapes nothing. */
function unescapeField(field: string, delimiter: string): string | undefined {
  if (!field.includes('\\') || field === '\\N') return field;
  let valid = true;
  const text = field.replace(/\\([\s\S]?)/g, (_all, char: string) => {
    if (char === '0') return '\0';
    if (char !== '\\' && char !== '\n' && char !== '\r' && char !== delimiter) valid = false;
    return char;
  });
  return valid ? text : undefined;
}
