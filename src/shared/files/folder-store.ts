import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HeadwayError } from '../errors.js';
import { serverNow } from '../redis/server-clock.js';
import { concealFiles } from './conceal.js';
import { createMeasure, damaged, newFileId, readChecked, removed, tooLarge } from './content.js';
import type { ByteRange, FileStore, FileStoreOptions, FoundFile, StoredFile } from './contract.js';
import { makeFile } from './made.js';
import { cleanFileName } from './name.js';
import { CONTENT, type FileRecord, parseRecord, RECORD, writeRecord } from './record.js';
import { isFileId } from './reference.js';
import { CHECK_EVERY_BYTES, openDiskRoom, stepAfter } from './room.js';
import { sweepFolder } from './sweep.js';
import { aborted, asUploadError, failAsUpload } from './upload-errors.js';

/** A store in a folder. */
export interface FolderStore extends FileStore {
  /** Returns the path of the content. @throws HeadwayError `unknown-file` if `id` is not the id of a file */
  path(id: string): string;
}

interface KeptFile extends FileRecord {
  found: FoundFile;
  expired: boolean;
}

/** How much is read at a time. Checking a content of 256 MiB takes half the CPU time that it takes with Node's 64 KiB. */
const READ_BYTES = 256 * 1024;

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

function failAsRemoved(error: unknown): never {
  throw isMissing(error) ? removed() : error;
}

async function* bytesOf(path: string, range: ByteRange | undefined): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, { ...range, highWaterMark: READ_BYTES });
  } catch (error) {
    failAsRemoved(error);
  }
}

/**
 * Opens the files in a folder that API and workers share. Each file has its own folder, named after its id. It is written in
 * `tmp` (an upload) or `making` (a file of a job) and moved to its place atomically when it is complete. The time of its last
 * use is that of its record. Room on the disk is reserved before anything is written.
 */
export function openFolderStore({
  dir,
  ttlMs,
  minFreeBytes,
  minFreeInodes = 0,
  maxBytes,
  abandonedMs = ttlMs,
}: FileStoreOptions): FolderStore {
  const root = resolve(dir);
  const uploads = join(root, 'tmp');
  const making = join(root, 'making');
  const room = openDiskRoom({ root, minFreeBytes, minFreeInodes });
  const folder = (id: string): string => {
    if (!isFileId(id)) throw new HeadwayError('unknown-file', 'This is not the id of a file.');
    return join(root, id);
  };
  const contentOf = (id: string): string => join(folder(id), CONTENT);

  /**
   * Sets the time of a file's last use, unless it is later already.
   * @returns whether the file exists
   */
  async function useAt(id: string, at: number): Promise<boolean> {
    if (!isFileId(id)) return false;
    try {
      const path = join(folder(id), RECORD);
      const { mtimeMs } = await stat(path);
      if (mtimeMs < at) await utimes(path, new Date(at), new Date(at));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async function begin(parent: string): Promise<{ id: string; work: string }> {
    const id = newFileId();
    const work = join(parent, id);
    await mkdir(work, { recursive: true, mode: 0o700 });
    return { id, work };
  }

  async function finish(work: string, file: StoredFile, madeBy?: string): Promise<StoredFile> {
    const path = join(work, RECORD);
    await writeFile(path, writeRecord(file, madeBy), { mode: 0o600 });
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
    if (expectedBytes !== undefined && expectedBytes > maxBytes) throw tooLarge(maxBytes);
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
      let nextCheck = CHECK_EVERY_BYTES;
      const measure = createMeasure({
        maxBytes,
        onBytes(size) {
          if (size <= reserved.bytes && size < nextCheck) return undefined;
          nextCheck = size + CHECK_EVERY_BYTES;
          return reserved.extend(
            size > reserved.bytes ? Math.min(maxBytes, stepAfter(size)) : reserved.bytes,
            size,
          );
        },
      });
      // The upload may have been aborted meanwhile. A pipeline from a destroyed stream would never end.
      if (content.destroyed) throw content.errored ?? aborted();
      target = createWriteStream(join(work, CONTENT), { mode: 0o600 });
      await pipeline(content, measure, target);
      const size = measure.count;
      if (expectedBytes !== undefined && size !== expectedBytes) throw aborted();
      const sha256 = measure.digest();
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
    const { id, work } = await begin(making);
    try {
      const path = join(work, CONTENT);
      return await makeFile(room, path, write, async (size) => {
        const measure = createMeasure();
        await pipeline(createReadStream(path), measure.resume());
        if (measure.count !== size) throw damaged();
        const sha256 = measure.digest();
        return finish(work, { id, name: cleanFileName(name), size, sha256 }, madeBy);
      });
    } catch (error) {
      await rm(work, { recursive: true, force: true });
      throw error;
    }
  }

  async function read(id: string): Promise<KeptFile | undefined> {
    if (!isFileId(id)) return undefined;
    try {
      const path = join(folder(id), RECORD);
      const [{ mtimeMs }, text, content] = await Promise.all([
        stat(path),
        readFile(path, 'utf8'),
        stat(contentOf(id)),
      ]);
      const record = parseRecord(text);
      if (!record) return undefined;
      const found = { ...record.file, storedAt: content.mtimeMs };
      return { ...record, found, expired: mtimeMs + ttlMs < serverNow() };
    } catch (error) {
      if (isMissing(error)) return undefined;
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
      return kept?.expired ? undefined : kept?.found;
    },
    find: async (id) => (await read(id))?.found,
    read: (file, range) => readChecked(file, range, bytesOf(contentOf(file.id), range)),
    async local(file) {
      const path = contentOf(file.id);
      const { size } = await stat(path).catch(failAsRemoved);
      if (size !== file.size) throw damaged();
      return path;
    },
    workspace: () => undefined,
    path: contentOf,
    touch: (id) => useAt(id, serverNow()),
    async keep(id, until) {
      // The last use may be in the future.
      await useAt(id, until - ttlMs);
    },
    async remove(id, unlessUsedAfter = Number.POSITIVE_INFINITY) {
      const used = await stat(join(folder(id), RECORD)).catch(() => undefined);
      if (used && used.mtimeMs > Math.max(unlessUsedAfter, serverNow() - ttlMs)) return;
      await rm(folder(id), { recursive: true, force: true });
    },
    async sweep(isHeld, now = serverNow()) {
      const holds = async (id: string): Promise<boolean> => {
        if (!(await isHeld(id, (await read(id))?.madeBy))) return false;
        await useAt(id, now);
        return true;
      };
      const expired = await sweepFolder(root, RECORD, ttlMs, now, holds);
      // A partial file that has not grown for long is abandoned. A job may take long before it writes.
      const unused = async () => false;
      const partial = await sweepFolder(uploads, CONTENT, Math.min(abandonedMs, ttlMs), now, unused);
      return expired + partial + (await sweepFolder(making, CONTENT, ttlMs, now, unused));
    },
    tidy: async () => {},
    check: async () => {},
    async idle() {
      await Promise.all(writing);
    },
    conceal: (message) => concealFiles(message, root),
  };
}
