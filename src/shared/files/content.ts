import { createHash, randomBytes } from 'node:crypto';
import { pipeline, Readable, Transform } from 'node:stream';
import { HeadwayError } from '../errors.js';
import type { ByteRange, StoredFile } from './contract.js';

/** Returns an id for a new file: 160 random bits, because whoever knows it may use the file. */
export const newFileId = (): string => `file_${randomBytes(20).toString('base64url')}`;

/** A stream that passes a content on unchanged, and measures it. */
export interface Measure extends Transform {
  /** The number of bytes so far. (The AWS SDK takes a `size` for the length of the whole stream.) */
  readonly count: number;
  /** Returns the SHA-256 of the whole content, in hexadecimal digits. Call it once, at the end. */
  digest(): string;
}

/**
 * Creates a measure for a content.
 * @param options.maxBytes a longer content ends with `file-too-large`
 * @param options.onBytes called with the size before a chunk is passed on; the chunk waits for the returned promise
 */
export function createMeasure({
  maxBytes = Number.POSITIVE_INFINITY,
  onBytes,
}: {
  maxBytes?: number;
  onBytes?: (size: number) => Promise<void> | undefined;
} = {}): Measure {
  const hash = createHash('sha256');
  let size = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      hash.update(chunk);
      if (size > maxBytes) return done(tooLarge(maxBytes));
      const wait = onBytes?.(size);
      if (!wait) return done(null, chunk);
      wait.then(() => done(null, chunk), done);
    },
  });
  return Object.defineProperties(measure, {
    count: { get: () => size },
    digest: { value: () => hash.digest('hex') },
  }) as Measure;
}

export const tooLarge = (maxBytes: number): HeadwayError =>
  new HeadwayError('file-too-large', `The file exceeds the limit of ${maxBytes} bytes. Nothing was stored.`);

/**
 * Returns the content of a file as a stream that does not emit its last chunk until the size is known to be right, and the
 * SHA-256 too if all is read. So nobody takes a damaged content for a complete one.
 * @param bytes the content, or the range of it
 */
export function readChecked(
  file: StoredFile,
  range: ByteRange | undefined,
  bytes: AsyncIterable<Buffer>,
): Readable {
  const isWhole = !range || (range.start === 0 && range.end === file.size - 1);
  const expected = range ? range.end - range.start + 1 : file.size;
  const hash = createHash('sha256');
  let size = 0;
  let held: Buffer | undefined;
  const verifier = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > expected) return done(damaged());
      if (isWhole) hash.update(chunk);
      const ready = held;
      held = chunk;
      done(null, ready);
    },
    flush(done) {
      if (size !== expected || (isWhole && hash.digest('hex') !== file.sha256)) return done(damaged());
      done(null, held);
    },
  });
  // An error destroys the returned stream, which emits it.
  return pipeline(Readable.from(bytes), verifier, () => {});
}

export const damaged = (): HeadwayError =>
  new HeadwayError(
    'file-damaged',
    'The stored file is damaged: its content does not match its size or SHA-256.',
  );

export const removed = (): HeadwayError => new HeadwayError('gone', 'The file has been removed.');
