import type { FileHandle } from 'node:fs/promises';
import { readAt } from './read-bytes.js';

/** The part of a file that contains the zip. Some programs write other bytes before or after it. */
export interface ZipExtent {
  /** Position of the first byte of the zip. Offsets inside the zip count from here. */
  start: number;
  /** Position after the 22 bytes of the end record, without the comment. */
  end: number;
}

/** Only this many bytes at the end of a file are searched for the end record of a zip. */
const MAX_TAIL = 1024 * 1024;
/** Maximum number of possible end records to check: each costs a read. */
const MAX_CANDIDATES = 100;
/** Size of an end record without its comment (APPNOTE 4.3.16). */
const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
/** Size of an entry's header without its name and extra fields, which have 16-bit lengths. */
const HEADER_BYTES = 30;
const MAX_HEADER_BYTES = HEADER_BYTES + 2 * 0xffff;

const END = Buffer.from('PK\x05\x06', 'latin1');
const END64 = Buffer.from('PK\x06\x06', 'latin1');
const LOCATOR = Buffer.from('PK\x06\x07', 'latin1');
const DIRECTORY = Buffer.from('PK\x01\x02', 'latin1');
const HEADER = Buffer.from('PK\x03\x04', 'latin1');

/**
 * Finds the zip in a file, searching for its end record from the end of the file. A zip inside another one (as an
 * entry, in the comment, or after it) is not mistaken for the zip of the file.
 * @returns `undefined` if there is no complete zip; `'ambiguous'` for two zips in a row
 */
export async function findZip(file: FileHandle): Promise<ZipExtent | 'ambiguous' | undefined> {
  const { size } = await file.stat();
  const tailStart = Math.max(0, size - MAX_TAIL);
  const tail = await readAt(file, tailStart, size - tailStart);
  /** The last zip that may be part of another one. */
  let inner: ZipExtent | undefined;
  let read = 0;
  for (let at = tail.lastIndexOf(END); at >= 0 && read < MAX_CANDIDATES; at = before(tail, at)) {
    if (at + END_BYTES > tail.length) continue;
    const position = tailStart + at;
    const record = tail.subarray(at, at + END_BYTES);
    // Not an end record if its directory would begin before the file.
    if (record.readUInt32LE(12) !== 0xffffffff && record.readUInt32LE(12) > position) continue;
    read++;
    const start = await startOf(file, position, record);
    if (start === undefined) continue;
    const extent = { start, end: position + END_BYTES };
    if (await isInner(file, extent)) inner ??= extent;
    // A zip that follows belongs to this one only if it is inside the comment.
    else return inner && inner.end > extent.end + record.readUInt16LE(20) ? 'ambiguous' : extent;
  }
  return undefined;
}

const before = (tail: Buffer, at: number): number => (at > 0 ? tail.lastIndexOf(END, at - 1) : -1);

/** Returns where the zip of an end record begins; `undefined` if there is no directory at the recorded position. */
async function startOf(file: FileHandle, end: number, record: Buffer): Promise<number | undefined> {
  const directory = (await directory64(file, end)) ?? {
    base: 0,
    end,
    entries: record.readUInt16LE(10),
    size: record.readUInt32LE(12),
    offset: record.readUInt32LE(16),
  };
  const start = directory.end - directory.size - directory.offset;
  // Without entries, bytes before the zip cannot be distinguished from a part of it.
  if (directory.entries === 0) return start === 0 ? 0 : undefined;
  if (start >= 0 && (await isAt(file, start + directory.offset, DIRECTORY))) return start;
  // Some programs write a signature between the directory and the end record.
  const { base, offset } = directory;
  const whole = (await isAt(file, base, HEADER)) && (await isAt(file, base + offset, DIRECTORY));
  return whole ? base : undefined;
}

/** Reads the ZIP64 end record, which precedes the end record of zips with 64-bit offsets. */
async function directory64(file: FileHandle, end: number) {
  const locator = await readAt(file, end - LOCATOR_BYTES, LOCATOR_BYTES);
  if (!begins(locator, LOCATOR)) return undefined;
  const offset = Number(locator.readBigUInt64LE(8));
  for (const position of [end - LOCATOR_BYTES - END64_BYTES, offset]) {
    const record = await readAt(file, position, END64_BYTES);
    if (record.length < END64_BYTES || !begins(record, END64)) continue;
    const numberAt = (at: number): number => Number(record.readBigUInt64LE(at));
    return {
      base: position - offset,
      end: position,
      entries: numberAt(32),
      size: numberAt(40),
      offset: numberAt(48),
    };
  }
  return undefined;
}

/**
 * Whether a zip with bytes before it is part of another zip: the file begins like a zip, or the header of an entry ends
 * where this zip begins. In that case the outer zip is truncated, or an earlier end record leads to it.
 */
async function isInner(file: FileHandle, { start }: ZipExtent): Promise<boolean> {
  if (start === 0) return false;
  if (await isAt(file, 0, HEADER)) return true;
  const from = Math.max(0, start - MAX_HEADER_BYTES);
  const headers = await readAt(file, from, start - from);
  for (let at = headers.indexOf(HEADER); at >= 0; at = headers.indexOf(HEADER, at + 1)) {
    if (at + HEADER_BYTES > headers.length) return false;
    if (at + HEADER_BYTES + headers.readUInt16LE(at + 26) + headers.readUInt16LE(at + 28) === headers.length)
      return true;
  }
  return false;
}

const begins = (bytes: Buffer, magic: Buffer): boolean => bytes.subarray(0, magic.length).equals(magic);

const isAt = async (file: FileHandle, position: number, magic: Buffer): Promise<boolean> =>
  begins(await readAt(file, position, magic.length), magic);
