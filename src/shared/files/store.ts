import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HeadwayError } from '../errors.js';
import type { Config } from '../process/config.js';
import { every, type Repeated } from '../process/every.js';
import { serverNow } from '../redis/server-clock.js';
import { concealFiles } from './conceal.js';
import { cleanFileName } from './name.js';
import { isFileId } from './reference.js';
import { openDiskRoom } from './room.js';
import { type HeldFiles, sweepFolder } from './sweep.js';
import { aborted, asUploadError, failAsUpload } from './upload-errors.js';

/** A stored file. `size` is in bytes. */
export interface StoredFile {
  id: string;
  name: string;
  size: number;
  sha256: string;
}

/** A file in a job's result. `href` is its download address for viewers of the job. */
export type ResultFile = StoredFile & { href: string };

export interface FileStoreOptions {
  dir: string;
  /** How long a file is kept after its last use, in ms. */
  ttlMs: number;
  /** Disk space that files leave free, in bytes. */
  minFreeBytes: number;
  /** Inodes that files leave free. Defaults to 0. */
  minFreeInodes?: number;
  /** Maximum size of an upload, in bytes. */
  maxBytes: number;
  /** After this time without a write, a partial upload is abandoned, in ms. Defaults to `ttlMs`. */
  abandonedMs?: number;
}

/** A partial upload of a process that died is kept at least this long, in ms. */
const MIN_ABANDONED_MS = 15 * 60_000;

/** Returns the options of the file store from the configuration. */
export const fileStoreOptions = (config: Config): FileStoreOptions => ({
  dir: config.FILES_DIR,
  ttlMs: config.FILES_TTL_MS,
  minFreeBytes: config.FILES_MIN_FREE_BYTES,
  minFreeInodes: config.FILES_MIN_FREE_INODES,
  maxBytes: config.UPLOAD_MAX_BYTES,
  // An upload that sends nothing is ended after STALL_TIMEOUT_MS.
  abandonedMs: Math.max(MIN_ABANDONED_MS, 2 * config.STALL_TIMEOUT_MS),
});

/**
 * Files on disk, in a folder that API and workers share. Each file has its own folder, named after its id. It is written in
 * `tmp` (an upload) or `making` (a file of a job) and moved to its place atomically when it is complete. Room on the disk is
 * reserved before anything is written.
 */
export interface FileStore {
  /**
   * Stores the content of a stream.
   * @param expectedBytes the length, if known. A file that is too large is refused before anything is read.
   * @param atMostBytes an upper bound of the length, such as that of the whole form. This much room is reserved at once. Without
   *   a bound, room is reserved in steps as the file grows
   * @throws HeadwayError `file-too-large`, `disk-full`, `upload-aborted`, `unavailable`
   */
  save(name: string, content: Readable, expectedBytes?: number, atMostBytes?: number): Promise<StoredFile>;
  /**
   * Stores a file that `write` creates at the given path. Room is reserved as the file grows.
   * @param madeBy the id of the job that makes the file
   * @throws HeadwayError `disk-full`, perhaps only after `write`
   */
  create(name: string, write: (path: string) => Promise<void>, madeBy?: string): Promise<StoredFile>;
  /** Returns a file; `undefined` if it does not exist or has expired. */
  stat(id: string): Promise<StoredFile | undefined>;
  /** Like `stat`, but also returns an expired file that is not removed yet, such as one that a job holds. */
  find(id: string): Promise<StoredFile | undefined>;
  /** Returns the path of the content. @throws HeadwayError `unknown-file` if `id` is not the id of a file */
  path(id: string): string;
  /** Renews the lifetime of a file. @returns whether the file exists */
  touch(id: string): Promise<boolean>;
  /** Extends the lifetime of a file, if it exists, to at least `until` (ms since 1970). */
  keep(id: string, until: number): Promise<void>;
  /**
   * Removes a file, if it exists.
   * @param unlessUsedAfter ms since 1970: a file with a later use is kept, unless it has expired
   */
  remove(id: string, unlessUsedAfter?: number): Promise<void>;
  /**
   * Removes expired files that are not held, and abandoned partial files. An expired file that is held counts as used now.
   * @returns the number of removed files
   */
  sweep(isHeld: HeldFiles, now?: number): Promise<number>;
  /** Resolves when no upload is being written, or removed because it failed. */
  idle(): Promise<void>;
  /** Removes paths and file ids from an error message. */
  conceal(message: string): string;
}

interface KeptFile {
  file: StoredFile;
  /** The id of the job that made it. */
  madeBy: string | undefined;
  expired: boolean;
}

/** How many bytes of an upload are written between two checks of free disk space: other programs write to the disk too. */
const CHECK_EVERY_BYTES = 16 * 1024 * 1024;
/** How often the size of a file that a job makes is looked up, in ms. */
const MEASURE_MS = 200;

/** Returns how much room to reserve for a file of unknown length that has grown to `size`: twice as much, within bounds. */
const stepAfter = (size: number): number => size + Math.min(Math.max(size, 1024 * 1024), CHECK_EVERY_BYTES);

export function openFileStore({
  dir,
  ttlMs,
  minFreeBytes,
  minFreeInodes = 0,
  maxBytes,
  abandonedMs = ttlMs,
}: FileStoreOptions): FileStore {
  const root = resolve(dir);
  const uploads = join(root, 'tmp');
  const making = join(root, 'making');
  const room = openDiskRoom({ root, minFreeBytes, minFreeInodes });
  const folder = (id: string): string => {
    if (!isFileId(id)) throw new HeadwayError('unknown-file', 'This is not the id of a file.');
    return join(root, id);
  };

  /**
   * Sets the time of a file's last use, unless it is later already.
   * @returns whether the file exists
   */
  async function useAt(id: string, at: number): Promise<boolean> {
    if (!isFileId(id)) return false;
    try {
      const path = join(folder(id), 'file.json');
      const { mtimeMs } = await stat(path);
      if (mtimeMs < at) await utimes(path, new Date(at), new Date(at));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  async function begin(parent: string): Promise<{ id: string; work: string }> {
    const id = `file_${randomBytes(20).toString('base64url')}`;
    const work = join(parent, id);
    await mkdir(work, { recursive: true, mode: 0o700 });
    return { id, work };
  }

  async function finish(work: string, file: StoredFile, madeBy?: string): Promise<StoredFile> {
    const path = join(work, 'file.json');
    await writeFile(path, JSON.stringify({ ...file, madeBy }), { mode: 0o600 });
    // It is compared with the times of jobs, so it has to be by Redis' clock, not by that of the disk.
    const now = new Date(serverNow());
    await utimes(path, now, now);
    await rename(work, folder(file.id));
    return file;
  }

  async function save(
    name: string,
    content: Readable,
    expectedBytes?: number,
    atMostBytes = expectedBytes,
  ): Promise<StoredFile> {
    const tooLarge = (): HeadwayError =>
      new HeadwayError(
        'file-too-large',
        `The file exceeds the limit of ${maxBytes} bytes. Nothing was stored.`,
      );
    if (expectedBytes !== undefined && expectedBytes > maxBytes) throw tooLarge();
    let target: WriteStream | undefined;
    const reserved = await room
      .reserve(
        Math.min(maxBytes, atMostBytes ?? stepAfter(0)),
        () => target?.bytesWritten ?? 0,
        atMostBytes === undefined ? 0 : undefined,
      )
      .catch(failAsUpload);
    let work: string | undefined;
    try {
      const begun = await begin(uploads);
      work = begun.work;
      const hash = createHash('sha256');
      let size = 0;
      let nextCheck = CHECK_EVERY_BYTES;
      const measure = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          size += chunk.length;
          hash.update(chunk);
          if (size > maxBytes) return done(tooLarge());
          if (size <= reserved.bytes && size < nextCheck) return done(null, chunk);
          nextCheck = size + CHECK_EVERY_BYTES;
          const needed = size > reserved.bytes ? Math.min(maxBytes, stepAfter(size)) : reserved.bytes;
          reserved.extend(needed, size).then(() => done(null, chunk), done);
        },
      });
      // The upload may have been aborted meanwhile. A pipeline from a destroyed stream would never end.
      if (content.destroyed) throw content.errored ?? aborted();
      target = createWriteStream(join(work, 'content'), { mode: 0o600 });
      await pipeline(content, measure, target);
      if (expectedBytes !== undefined && size !== expectedBytes) throw aborted();
      const sha256 = hash.digest('hex');
      return await finish(work, { id: begun.id, name: cleanFileName(name), size, sha256 });
    } catch (error) {
      if (work) await rm(work, { recursive: true, force: true });
      throw asUploadError(error);
    } finally {
      reserved.release();
    }
  }

  async function create(
    name: string,
    write: (path: string) => Promise<void>,
    madeBy?: string,
  ): Promise<StoredFile> {
    let written = 0;
    const reserved = await room.reserve(stepAfter(0), () => written, 0);
    let work: string | undefined;
    let measuring: Repeated | undefined;
    try {
      const begun = await begin(making);
      work = begun.work;
      const path = join(work, 'content');
      measuring = every(
        MEASURE_MS,
        async () => {
          written = (await stat(path)).size;
          if (written > reserved.bytes / 2) await reserved.extend(stepAfter(written), written);
        },
        // There may be no file yet. If the disk is full, that is said when the file is complete.
        () => {},
      );
      await write(path);
      await measuring.stop();
      const hash = createHash('sha256');
      await pipeline(createReadStream(path), hash);
      const { size } = await stat(path);
      written = size;
      await reserved.extend(size);
      const sha256 = hash.digest('hex');
      return await finish(work, { id: begun.id, name: cleanFileName(name), size, sha256 }, madeBy);
    } catch (error) {
      await measuring?.stop();
      if (work) await rm(work, { recursive: true, force: true });
      throw error;
    } finally {
      reserved.release();
    }
  }

  async function read(id: string): Promise<KeptFile | undefined> {
    if (!isFileId(id)) return undefined;
    try {
      const path = join(folder(id), 'file.json');
      const { mtimeMs } = await stat(path);
      const { madeBy, ...file } = JSON.parse(await readFile(path, 'utf8')) as StoredFile & {
        madeBy?: string;
      };
      return { file, madeBy, expired: mtimeMs + ttlMs < serverNow() };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  const writing = new Set<Promise<unknown>>();
  function untilWritten<T>(file: Promise<T>): Promise<T> {
    const settled: Promise<unknown> = file.catch(() => {}).finally(() => writing.delete(settled));
    writing.add(settled);
    return file;
  }

  return {
    save: (...args) => untilWritten(save(...args)),
    create,
    async stat(id) {
      const kept = await read(id);
      return kept?.expired ? undefined : kept?.file;
    },
    find: async (id) => (await read(id))?.file,
    path: (id) => join(folder(id), 'content'),
    touch: (id) => useAt(id, serverNow()),
    async keep(id, until) {
      // The last use may be in the future.
      await useAt(id, until - ttlMs);
    },
    async remove(id, unlessUsedAfter = Number.POSITIVE_INFINITY) {
      const used = await stat(join(folder(id), 'file.json')).catch(() => undefined);
      if (used && used.mtimeMs > Math.max(unlessUsedAfter, serverNow() - ttlMs)) return;
      await rm(folder(id), { recursive: true, force: true });
    },
    async sweep(isHeld, now = serverNow()) {
      const holds = async (id: string): Promise<boolean> => {
        if (!(await isHeld(id, (await read(id))?.madeBy))) return false;
        await useAt(id, now);
        return true;
      };
      const expired = await sweepFolder(root, 'file.json', ttlMs, now, holds);
      // A partial file that has not grown for long is abandoned. A job may take long before it writes.
      const unused = async () => false;
      const partial = await sweepFolder(uploads, 'content', Math.min(abandonedMs, ttlMs), now, unused);
      return expired + partial + (await sweepFolder(making, 'content', ttlMs, now, unused));
    },
    async idle() {
      await Promise.all(writing);
    },
    conceal: (message) => concealFiles(message, root),
  };
}
