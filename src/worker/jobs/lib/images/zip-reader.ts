import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { ZipFile } from 'yauzl';
import { PermanentError } from '../../../../shared/errors.js';
import { findZip, type ZipExtent } from './zip-extent.js';

type Yauzl = typeof import('yauzl');
type Options = Parameters<Yauzl['fromRandomAccessReaderPromise']>[2];

/** Whether a zip is somewhere in a file: for files that do not begin like one. */
export async function hasZip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    return (await findZip(file)) !== undefined;
  } finally {
    await file.close();
  }
}

/**
 * Opens the zip of a file for yauzl, which wants a file that begins and ends with the zip.
 * @throws PermanentError when there is no whole zip, or more than one
 */
export async function openExtent(yauzl: Yauzl, path: string, options: Options): Promise<ZipFile> {
  const file = await open(path);
  try {
    const extent = await findZip(file);
    if (!extent)
      throw new PermanentError(
        'the zip cannot be read: its directory is not at the end; the file was cut off, or more than 1 MiB follows',
      );
    if (extent === 'ambiguous')
      throw new PermanentError('the zip cannot be read: the file holds more than one zip');
    const reader = readerOf(yauzl, path, file, extent);
    return await yauzl.fromRandomAccessReaderPromise(reader, extent.end - extent.start, options);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function readerOf(yauzl: Yauzl, path: string, file: FileHandle, { start, end }: ZipExtent) {
  /** The length of the comment, the last two bytes of the end record: the comment is left out. */
  const commentLength = end - start - 2;
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
      const there = Math.max(0, Math.min(length, end - start - position));
      file.read(buffer, offset, there, start + position).then(
        ({ bytesRead }) => {
          const zero = Math.max(commentLength - position, 0);
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
