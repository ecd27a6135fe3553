import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HeadwayError } from '../errors.js';
import type { Config } from '../process/config.js';
import { serverNow } from '../redis/server-clock.js';
import { concealFiles } from './conceal.js';
import { cleanFileName } from './name.js';
import { isFileId } from './reference.js';

/** A file that is kept. `size` is in bytes. */
export interface StoredFile {
  id: string;
  name: string;
  size: number;
  sha256: string;
}

/** A file in a job's result; `href` is where its viewers can download it. */
export type ResultFile = StoredFile & { href: string };

export interface FileStoreOptions {
  dir: string;
  /** A file is kept this long after it was last touched, in ms. */
  ttlMs: number;
  minFreeBytes: number;
  maxBytes: number;
}

/** Where the configuration says that files are, and how much of them. */
export const fileStoreOptions = (config: Config): FileStoreOptions => ({
  dir: config.FILES_DIR,
  ttlMs: config.FILES_TTL_MS,
  minFreeBytes: config.FILES_MIN_FREE_BYTES,
  maxBytes: config.UPLOAD_MAX_BYTES,
});

/**
 * Whether a file has to stay although its own time is over: a job names it and has not completed (a failed or cancelled
 * one may be retried), or the job that made it has not ended.
 * @param madeBy the id of the job that made it
 */
export type HeldFiles = (fileId: string, madeBy?: string) => Promise<boolean>;

/**
 * Files on disk, in a folder that API and workers share. Each has a folder of its own, named by its id, that
 * appears in one step when the file is whole: until then it lies in `tmp`, and is nothing.
 */
export interface FileStore {
  /**
   * Keeps what a stream brings.
   * @param expectedBytes its length when that is known beforehand: too much is refused before a byte is read
   * @param atMostBytes the length of what it is part of, when only that is known: looked at for free space
   * @throws HeadwayError `file-too-large`, `disk-full`, `upload-aborted`, `unavailable`
   */
  save(name: string, content: Readable, expectedBytes?: number, atMostBytes?: number): Promise<StoredFile>;
  /**
   * Keeps a file that `write` makes at the path it is given.
   * @param madeBy the id of the job that makes it
   */
  create(name: string, write: (path: string) => Promise<void>, madeBy?: string): Promise<StoredFile>;
  /** `undefined` when there is no such file, or it has expired. */
  stat(id: string): Promise<StoredFile | undefined>;
  /** As `stat`, but also finds a file that has expired and has not been removed: one that a job holds is not. */
  find(id: string): Promise<StoredFile | undefined>;
  /** Where the content is. @throws HeadwayError `unknown-file` for what is no id */
  path(id: string): string;
  /** Keeps the file for another while. Returns whether it is there. */
  touch(id: string): Promise<boolean>;
  /** Keeps the file until `until` (ms since 1970) at least, if it is there. */
  keep(id: string, until: number): Promise<void>;
  /**
   * Removes a file before its time; what is not there needs no removing.
   * @param unlessUsedAfter ms since 1970; a file that was used later, and has not expired since, stays
   */
  remove(id: string, unlessUsedAfter?: number): Promise<void>;
  /**
   * Removes what has expired and is not held, and what was left half done. An expired file that is held counts as used
   * now.
   * @returns how many were removed
   */
  sweep(isHeld: HeldFiles, now?: number): Promise<number>;
  /** Takes out of an error message what only the server is to know: paths, and the ids of files. */
  conceal(message: string): string;
}

interface KeptFile {
  file: StoredFile;
  /** The id of the job that made it. */
  madeBy: string | undefined;
  expired: boolean;
}

/** The free space is looked at again after so many bytes of a file. */
const CHECK_EVERY_BYTES = 16 * 1024 * 1024;

export function openFileStore({ dir, ttlMs, minFreeBytes, maxBytes }: FileStoreOptions): FileStore {
  const root = resolve(dir);
  const tmp = join(root, 'tmp');
  const folder = (id: string): string => {
    if (!isFileId(id)) throw new HeadwayError('unknown-file', 'That is not the id of a file.');
    return join(root, id);
  };

  /**
   * Notes the time of the last use, from which a file's time is counted. It is never set back.
   * @returns whether the file is there
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

  async function begin(): Promise<{ id: string; work: string }> {
    const id = `file_${randomBytes(20).toString('base64url')}`;
    const work = join(tmp, id);
    await mkdir(work, { recursive: true, mode: 0o700 });
    return { id, work };
  }

  async function finish(work: string, file: StoredFile, madeBy?: string): Promise<StoredFile> {
    const path = join(work, 'file.json');
    await writeFile(path, JSON.stringify({ ...file, madeBy }), { mode: 0o600 });
    // The times of jobs, with which it is compared, are not by the clock of the disk.
    const now = new Date(serverNow());
    await utimes(path, now, now);
    await rename(work, folder(file.id));
    return file;
  }

  async function checkSpace(bytes: number): Promise<void> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = await statfs(root);
    if (bavail * bsize - bytes < minFreeBytes) {
      throw new HeadwayError(
        'disk-full',
        'There is not enough free disk space for this file. Try again later.',
      );
    }
  }

  async function save(
    name: string,
    content: Readable,
    expectedBytes?: number,
    atMostBytes = expectedBytes ?? 0,
  ): Promise<StoredFile> {
    const tooLarge = (): HeadwayError =>
      new HeadwayError(
        'file-too-large',
        `The file is larger than the ${maxBytes} bytes that this service takes.`,
      );
    if (expectedBytes !== undefined && expectedBytes > maxBytes) throw tooLarge();
    const { id, work } = await checkSpace(atMostBytes).then(begin).catch(failAsUpload);
    const hash = createHash('sha256');
    let size = 0;
    let nextCheck = CHECK_EVERY_BYTES;
    const measure = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        size += chunk.length;
        hash.update(chunk);
        if (size > maxBytes) return done(tooLarge());
        if (size < nextCheck) return done(null, chunk);
        // Its length may not have been known, and others write to the disk too.
        nextCheck = size + CHECK_EVERY_BYTES;
        checkSpace(0).then(() => done(null, chunk), done);
      },
    });
    try {
      // It may have been given up meanwhile. A pipeline that begins with a stream that has ended never ends itself.
      if (content.destroyed) throw content.errored ?? aborted();
      await pipeline(content, measure, createWriteStream(join(work, 'content'), { mode: 0o600 }));
      if (expectedBytes !== undefined && size !== expectedBytes) throw aborted();
      return await finish(work, { id, name: cleanFileName(name), size, sha256: hash.digest('hex') });
    } catch (error) {
      await rm(work, { recursive: true, force: true });
      throw asUploadError(error);
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

  async function sweepFolder(
    parent: string,
    marker: string,
    now: number,
    holds: (id: string) => Promise<boolean>,
  ): Promise<number> {
    const isOver = async (id: string): Promise<boolean> => {
      const { mtimeMs } = await stat(join(parent, id, marker)).catch(() => ({ mtimeMs: now }));
      return mtimeMs + ttlMs < now;
    };
    let removed = 0;
    for (const id of (await readdir(parent).catch(() => [])).filter(isFileId)) {
      if (!(await isOver(id)) || (await holds(id))) continue;
      // Somebody may have used it while its holders were looked up.
      if (!(await isOver(id))) continue;
      await rm(join(parent, id), { recursive: true, force: true });
      removed++;
    }
    return removed;
  }

  return {
    save,
    async create(name, write, madeBy) {
      await checkSpace(0);
      const { id, work } = await begin();
      const path = join(work, 'content');
      try {
        await write(path);
        const hash = createHash('sha256');
        await pipeline(createReadStream(path), hash);
        const { size } = await stat(path);
        const sha256 = hash.digest('hex');
        return await finish(work, { id, name: cleanFileName(name), size, sha256 }, madeBy);
      } catch (error) {
        await rm(work, { recursive: true, force: true });
        throw error;
      }
    },
    async stat(id) {
      const kept = await read(id);
      return kept?.expired ? undefined : kept?.file;
    },
    find: async (id) => (await read(id))?.file,
    path: (id) => join(folder(id), 'content'),
    touch: (id) => useAt(id, serverNow()),
    async keep(id, until) {
      // The time of the last use may be one to come.
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
      const expired = await sweepFolder(root, 'file.json', now, holds);
      // Something half done whose content has not grown for as long as a file is kept belongs to nobody.
      return expired + (await sweepFolder(tmp, 'content', now, async () => false));
    },
    conceal: (message) => concealFiles(message, root),
  };
}

const aborted = (): HeadwayError =>
  new HeadwayError('upload-aborted', 'The connection ended before the file was whole. Nothing was kept.');

function failAsUpload(error: unknown): never {
  throw asUploadError(error);
}

function asUploadError(error: unknown): unknown {
  if (error instanceof HeadwayError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HeadwayError('disk-full', 'The disk is full. Nothing was kept.', undefined, { cause: error });
  }
  if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM') {
    return new HeadwayError('unavailable', 'This process has too much to do. Nothing was kept.', undefined, {
      cause: error,
    });
  }
  if (code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET') return aborted();
  return error;
}
