import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { ZipFile } from 'yauzl';
import { PermanentError } from '../../../../shared/errors.js';
import { findZip, type ZipExtent } from './zip-extent.js';

type Yauzl = typeof import('yauzl');
type Options = Parameters<Yauzl['fromRandomAccessReaderPromise']>[2];

/** Whether a file that does not begin like a zip contains one. */
export async function hasZip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    return (await findZip(file)) !== undefined;
  } finally {
    await file.close();
  }
}

/**
 * Opens the zip in a file with yauzl, which expects a file that begins and ends with the zip.
 * @throws PermanentError if there is no complete zip, or more than one
 */
export async function openExtent(yauzl: Yauzl, path: string, options: Options): Promise<ZipFile> {
  const file = await open(path);
  try {
    const extent = await findZip(file);
    if (!extent)
      throw new PermanentError(
        'cannot read the zip: no directory found at its end. The file is truncated, or more than 1 MiB follows the zip',
      );
    if (extent === 'ambiguous')
      throw new PermanentError('cannot read the zip: the file contains more than one');
    const reader = readerOf(yauzl, path, file, extent);
    return await yauzl.fromRandomAccessReaderPromise(reader, extent.end - extent.start, options);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function readerOf(yauzl: Yauzl, path: string, file: FileHandle, { start, end }: ZipExtent) {
  /**
   * Position of the comment length, the last two bytes of the end record. Read as zero, because the comment is cut off.
   */
  const commentLengthAt = end - start - 2;
  class ExtentReader extends yauzl.RandomAccessReader {
    override _readStreamForRange(from: number, to: number): Readable {
      return createReadStream(path, { start: start + from, end: start + to - 1 });
    }
    override read(
      buffer: Buffer,
      offset: number,
      length: number,
      position: number,
      callback: (error: Error | null, bytesRead?: number) => void,
    ): void {
      const available = Math.max(0, Math.min(length, end - start - position));
      file.read(buffer, offset, available, start + position).then(
        ({ bytesRead }) => {
          const zero = Math.max(commentLengthAt - position, 0);
          if (zero < bytesRead) buffer.fill(0, offset + zero, offset + bytesRead);
          callback(null, bytesRead);
        },
        (error) => callback(error),
      );
    }
    override close(callback: (error: Error | null) => void): void {
      file.close().then(() => callback(null), callback);
    }
  }
  return new ExtentReader();
}
