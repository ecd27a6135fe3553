import type { Readable } from 'node:stream';
import type { Entry, ZipFile } from 'yauzl';
import { PermanentError } from '../../../../shared/errors.js';
import { loadOptional } from '../../../../shared/process/optional-packages.js';
import { asSystemError } from '../system-error.js';
import { openExtent } from './zip-reader.js';

/** Limits for zips. Sizes are in bytes after extraction. */
const MAX_ENTRIES = 5000;
const MAX_FILES = 1000;
const MAX_FILE_BYTES = 256 * 1024 * 1024;
const MAX_BYTES = 4 * 1024 * 1024 * 1024;
/** Images are compressed already: a zip with a higher compression ratio contains something else. */
const MAX_RATIO = 50;
/** Smaller zips may have a higher ratio: images of one colour are small. */
const HARMLESS_BYTES = 64 * 1024 * 1024;

/** A file in a zip, or the reason why it cannot be extracted. Its name may contain folders. */
export type ZipItem =
  | { name: string; reason: string }
  | { name: string; reason?: undefined; open: () => Promise<Readable> };

/** An open zip. */
export interface OpenZip {
  items: ZipItem[];
  close(): void;
}

/**
 * Reads the directory of a zip, which may have other bytes before and after it. Skips folders and hidden files (`.name`,
 * `__MACOSX`).
 * @throws PermanentError if the file is not a zip, has too many files, or would be too large after extraction
 * @throws Error if the disk cannot be read
 */
export async function openZip(path: string): Promise<OpenZip> {
  const yauzl = await loadOptional('zip', () => import('yauzl'));
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
      const reason = yauzl.validateFileName(name) ? 'the path is outside the zip' : problemOf(entry);
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
  throw asSystemError(error) ?? new PermanentError(`cannot read the zip: ${reason}`, { cause: error });
}

/** Describes an error from yauzl for viewers: its own messages are for programmers. */
function zipFault(message: string): string {
  if (/multi-disk/.test(message)) return 'it is one part of a multi-part zip';
  if (/encrypt/.test(message)) return 'its directory is encrypted';
  return 'its directory is damaged';
}

/** Returns why an entry cannot be extracted, given an error from yauzl or zlib. */
export function entryFault(error: Error): string {
  if (/bytes in the stream/.test(error.message)) return 'its size differs from the size in the directory';
  return 'the content is damaged';
}

const tooMany = (count: number, most: number): PermanentError =>
  new PermanentError(`the zip has ${count} files; the limit is ${most}`);

function checkSize(packed: number, unpacked: number): void {
  const ratio = unpacked / Math.max(packed, 1);
  if (unpacked <= MAX_BYTES && (unpacked <= HARMLESS_BYTES || ratio <= MAX_RATIO)) return;
  throw new PermanentError(
    `the zip would be ${unpacked} bytes after extraction, ${Math.round(ratio)} times its size, which is over the limit`,
  );
}

/** Decodes the name of an entry: UTF-8 if the entry is marked so, else code page 437. */
function nameOf(yauzl: typeof import('yauzl'), entry: Entry): string {
  return yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, false);
}

const isHidden = (name: string): boolean =>
  name.endsWith('/') || name.split('/').some((part) => /^\.(?!\.?$)|^__MACOSX$|^Thumbs\.db$/i.test(part));

function problemOf(entry: Entry): string | undefined {
  if (entry.isEncrypted()) return 'encrypted';
  if (!entry.canDecodeFileData()) return `unsupported compression method (${entry.compressionMethod})`;
  if (entry.uncompressedSize > MAX_FILE_BYTES) return `larger than ${MAX_FILE_BYTES} bytes`;
  return undefined;
}

/** The stream fails if the content is longer or shorter than the directory says, so no entry exceeds its size. */
const openEntry = (zip: ZipFile, entry: Entry): Promise<Readable> => zip.openReadStreamPromise(entry);
