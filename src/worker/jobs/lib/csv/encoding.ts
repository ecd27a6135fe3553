import { isAscii, isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { PermanentError } from '../../../../shared/errors.js';
import { utf16Mark } from '../../../../shared/process/text-file.js';
import { createWesternCheck } from './western.js';

/** The supported encodings. */
export const encodings = [
  'utf-8',
  'utf-16le',
  'utf-16be',
  'windows-1250',
  'windows-1251',
  'windows-1252',
  'windows-1253',
  'windows-1254',
  'windows-1257',
  'iso-8859-2',
  'iso-8859-15',
  'koi8-r',
  'macintosh',
  'cp437',
  'cp850',
  'shift_jis',
  'euc-jp',
  'gb18030',
  'big5',
  'euc-kr',
] as const;
export type Encoding = (typeof encodings)[number];

/** The encoding of a file. */
export interface FileEncoding {
  encoding: Encoding;
  /** Some bytes may be invalid in this encoding. Rows with such bytes are rejected. */
  damaged: boolean;
  /** The encoding is likely, but neither given nor certain. */
  guessed: boolean;
}

/** Text formats that are not CSV, by their start. */
const OTHER_TEXTS: Array<[start: RegExp, what: string]> = [
  [/^\s*<(!doctype|html|\?xml)\b/i, 'HTML or XML'],
  [/^\s*(\{\s*"|\[\s*[[{])/, 'JSON'],
];

const SAMPLE_BYTES = 64 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** Binary formats, by their first bytes. */
const OTHER_FORMATS: Array<[start: Buffer, what: string]> = [
  [Buffer.from('PK\x03\x04', 'latin1'), 'an Excel workbook or a zip. Export the sheet as CSV'],
  [Buffer.from('d0cf11e0a1b11ae1', 'hex'), 'an Excel workbook. Export the sheet as CSV'],
  [Buffer.from([0x1f, 0x8b]), 'compressed. Decompress it first'],
  [Buffer.from('%PDF-'), 'a PDF'],
  [Buffer.from('SQLite format 3\0'), 'a SQLite database'],
  [Buffer.from([0xff, 0xfe, 0, 0]), 'UTF-32. Save it as UTF-8'],
  [Buffer.from([0, 0, 0xfe, 0xff]), 'UTF-32. Save it as UTF-8'],
];

/**
 * Detects the encoding of a file from its byte order mark, otherwise from all of its bytes. A file that could have
 * several encodings is refused.
 * @throws PermanentError if the file is empty or not text, or if its encoding cannot be determined
 */
export async function detectEncoding(
  path: string,
  given: Encoding | undefined,
  signal: AbortSignal,
  delimiter?: string,
): Promise<FileEncoding> {
  const sample = await firstBytes(path);
  if (sample.length === 0) throw new PermanentError('the file is empty');
  for (const [start, what] of OTHER_FORMATS) {
    if (sample.subarray(0, start.length).equals(start)) {
      throw new PermanentError(`not a CSV file: it is ${what}`);
    }
  }
  const text = sample.toString('latin1', hasMark(sample) ? 3 : 0, 1000);
  for (const [start, what] of OTHER_TEXTS) {
    if (start.test(text)) throw new PermanentError(`not a CSV file: it is ${what}`);
  }
  if (given)
    return { encoding: given, damaged: given !== 'utf-16le' && given !== 'utf-16be', guessed: false };
  const wide = wideEncoding(sample);
  if (wide) return { encoding: wide, damaged: false, guessed: false };
  if (isBinary(sample, delimiter)) throw new PermanentError('not a CSV file: the content is binary');

  const { invalid, multibyte, line } = await checkUtf8(path, signal);
  if (invalid === 0) return { encoding: 'utf-8', damaged: false, guessed: false };
  if (multibyte > invalid || hasMark(sample)) return { encoding: 'utf-8', damaged: true, guessed: false };
  const western = createWesternCheck();
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, signal }))
    western.add(chunk);
  if (western.verdict()) return { encoding: 'windows-1252', damaged: true, guessed: true };
  throw new PermanentError(
    `the file is not UTF-8 (line ${line}) and its encoding cannot be detected. Set \`encoding\` (for example windows-1252), or save the file as UTF-8`,
  );
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(SAMPLE_BYTES), 0, SAMPLE_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const hasMark = (sample: Buffer): boolean => sample[0] === 0xef && sample[1] === 0xbb && sample[2] === 0xbf;

/** Detects UTF-16 by its byte order mark, or by NUL bytes that are all at odd or all at even positions. */
function wideEncoding(sample: Buffer): Encoding | undefined {
  const mark = utf16Mark(sample);
  if (mark) return mark;
  let even = 0;
  let odd = 0;
  for (let i = 0; i < sample.length; i++) {
    if (sample[i] !== 0) continue;
    if (i % 2 === 0) even++;
    else odd++;
  }
  // Delimiters and line ends are ASCII in every language, and each ASCII character contains one NUL byte.
  if (Math.max(even, odd) < Math.max(2, sample.length * 0.04) || Math.min(even, odd) > 0) return undefined;
  const encoding = odd > 0 ? 'utf-16le' : 'utf-16be';
  try {
    const whole = sample.subarray(0, sample.length & ~1);
    const text = new TextDecoder(encoding, { fatal: true }).decode(whole, { stream: true });
    return /[\r\n]/.test(text) ? encoding : undefined;
  } catch {
    return undefined;
  }
}

/** Text has hardly any control characters. A block of NUL bytes, such as some loggers leave, does not make a file binary. */
function isBinary(sample: Buffer, delimiter: string | undefined): boolean {
  if (hasMark(sample)) return false;
  let controls = 0;
  let nuls = 0;
  // DOS programs end a text with Ctrl-Z.
  const text = sample.at(-1) === 0x1a ? sample.subarray(0, -1) : sample;
  for (const byte of text) {
    if (byte === 0) nuls++;
    else if (byte === delimiter?.charCodeAt(0)) continue;
    else if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) controls++;
  }
  const printable = sample.length - nuls;
  return (nuls > 0 && !isUtf8(sample)) || controls > printable * 0.1 || nuls > sample.length / 2;
}

/** Counts the invalid and the multibyte characters of a file as UTF-8, and finds the first line with an invalid one. */
async function checkUtf8(path: string, signal: AbortSignal) {
  let [invalid, multibyte, line] = [0, 0, 1];
  let carry: Buffer = Buffer.alloc(0);
  const check = (bytes: Buffer): void => {
    if (isAscii(bytes)) {
      if (invalid === 0) line += lineFeeds(bytes);
      return;
    }
    const text = bytes.toString('utf8');
    multibyte += (text.match(/[^\0-\x7f\ufffd]/g) ?? []).length;
    if (isUtf8(bytes)) {
      if (invalid === 0) line += lineFeeds(bytes);
      return;
    }
    if (invalid === 0) line += lineFeeds(Buffer.from(text.slice(0, text.indexOf('\ufffd'))));
    invalid += (text.match(/\ufffd/g) ?? []).length;
  };
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, signal })) {
    const bytes: Buffer = carry.length > 0 ? Buffer.concat([carry, chunk as Buffer]) : (chunk as Buffer);
    const end = bytes.length - openCharacter(bytes);
    carry = bytes.subarray(end);
    check(bytes.subarray(0, end));
  }
  check(carry);
  return { invalid, multibyte, line };
}

/** Returns the number of bytes at the end that belong to a character which continues in the next chunk. */
function openCharacter(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes.readUInt8(bytes.length - back);
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

function lineFeeds(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}
