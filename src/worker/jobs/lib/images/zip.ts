import type { Readable } from 'node:stream';
import type { Entry, ZipFile } from 'yauzl';
import { PermanentError } from '../../../../shared/errors.js';
import { asSystemError } from '../system-error.js';
import { openExtent } from './zip-reader.js';

/** What a zip may hold. Sizes in bytes, unpacked. */
const MAX_ENTRIES = 5000;
const MAX_FILES = 1000;
const MAX_FILE_BYTES = 256 * 1024 * 1024;
const MAX_BYTES = 4 * 1024 * 1024 * 1024;
/** Images are compressed already: a zip that grows more than this when it is unpacked holds something else. */
const MAX_RATIO = 50;
/** Below this it may: pictures of one colour are small. */
const HARMLESS_BYTES = 64 * 1024 * 1024;

/** A file of a zip, or why it cannot be taken out. Its name has no folder that leads anywhere, but may have folders. */
export type ZipItem =
  | { name: string; reason: string }
  | { name: string; reason?: undefined; open: () => Promise<Readable> };

/** An open zip. */
export interface OpenZip {
  items: ZipItem[];
  close(): void;
}

/**
 * Reads the directory of a zip, which may have other bytes before and after it. Folders and hidden files (`.name`,
 * `__MACOSX`) are left out.
 * @throws PermanentError for what is no zip, has too many files, or would be too large when it is unpacked; another
 * Error when the disk cannot be read
 */
export async function openZip(path: string): Promise<OpenZip> {
  const yauzl = await import('yauzl');
  const options = { autoClose: false, lazyEntries: true, decodeStrings: false, validateEntrySizes: true };
  const zip = await openExtent(yauzl, path, options).catch(unreadable);
  try {
    if (zip.entryCount > MAX_ENTRIES) throw tooMany(zip.entryCount, MAX_ENTRIES);
    const items: ZipItem[] = [];
    let [packed, unpacked] = [0, 0];
    for await (const entry of zip.eachEntry()) {
      const name = nameOf(yauzl, entry);
      if (isHidden(name)) continue;
      packed += entry.compressedSize;
      unpacked += entry.uncompressedSize;
      const reason = yauzl.validateFileName(name) ? 'its path leads out of the zip' : problemOf(entry);
      items.push(reason ? { name, reason } : { name, open: () => openEntry(zip, entry) });
    }
    if (items.length > MAX_FILES) throw tooMany(items.length, MAX_FILES);
    checkSize(packed, unpacked);
    return { items, close: () => zip.close() };
  } catch (error) {
    zip.close();
    return unreadable(error);
  }
}

function unreadable(error: unknown): never {
  if (error instanceof PermanentError) throw error;
  const reason = zipFault((error as Error).message);
  throw asSystemError(error) ?? new PermanentError(`the zip cannot be read: ${reason}`, { cause: error });
}

/** What yauzl found in a zip, in our own words: its texts are for programmers. */
function zipFault(message: string): string {
  if (/multi-disk/.test(message)) return 'it is one part of several';
  if (/encrypt/.test(message)) return 'its directory is encrypted';
  return 'its directory is damaged';
}

/** Why an entry cannot be unpacked, by an error of yauzl or zlib. */
export function entryFault(error: Error): string {
  if (/bytes in the stream/.test(error.message)) return 'it is not as long as the zip says';
  return 'its content is damaged';
}

const tooMany = (count: number, most: number): PermanentError =>
  new PermanentError(`the zip has ${count} files, more than the ${most} that are taken`);

function checkSize(packed: number, unpacked: number): void {
  const ratio = unpacked / Math.max(packed, 1);
  if (unpacked <= MAX_BYTES && (unpacked <= HARMLESS_BYTES || ratio <= MAX_RATIO)) return;
  throw new PermanentError(
    `the zip would be ${unpacked} bytes when it is unpacked, ${Math.round(ratio)} times its size: more than is taken`,
  );
}

/** The name as the zip means it: UTF-8 where it says so, else the code page of old. */
function nameOf(yauzl: typeof import('yauzl'), entry: Entry): string {
  return yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, false);
}

const isHidden = (name: string): boolean =>
  name.endsWith('/') || name.split('/').some((part) => /^\.(?!\.?$)|^__MACOSX$|^Thumbs\.db$/i.test(part));

function problemOf(entry: Entry): string | undefined {
  if (entry.isEncrypted()) return 'encrypted';
  if (!entry.canDecodeFileData())
    return `compressed by a method (${entry.compressionMethod}) that is not known`;
  if (entry.uncompressedSize > MAX_FILE_BYTES) return `larger than ${MAX_FILE_BYTES} bytes`;
  return undefined;
}

/** The stream fails when the content is longer or shorter than the directory says: no entry grows beyond its size. */
const openEntry = (zip: ZipFile, entry: Entry): Promise<Readable> => zip.openReadStreamPromise(entry);
