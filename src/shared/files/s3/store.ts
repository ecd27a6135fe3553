import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { HeadwayError } from '../../errors.js';
import { parseFilesUrl } from '../../process/files-url.js';
import { serverNow } from '../../redis/server-clock.js';
import { concealFiles } from '../conceal.js';
import { createMeasure, newFileId, readChecked, tooLarge } from '../content.js';
import type { FileStore, FileStoreOptions, FoundFile, StoredFile, Workspace } from '../contract.js';
import { makeFile } from '../made.js';
import { cleanFileName } from '../name.js';
import { type FileRecord, parseRecord, writeRecord } from '../record.js';
import { isFileId } from '../reference.js';
import { openDiskRoom } from '../room.js';
import { openScratch, prepareWorkspace } from '../scratch.js';
import { aborted, asUploadError } from '../upload-errors.js';
import { openBucket } from './bucket.js';
import { StorageFault, UnusableFilesError } from './faults.js';
import { contentKey, describeFile, type FileObjects, recordKey, useIn, useKey } from './objects.js';
import { sweepBucket } from './sweep.js';

interface KeptFile extends FileRecord {
  found: FoundFile;
  expired: boolean;
}

/** How long a failed upload waits for what is left of it to be removed, in ms. The removal goes on, and the sweep is last. */
const CLEAR_MS = 5000;

/**
 * Opens the files in a bucket of S3-compatible storage: see `objects.ts` for what is stored of each. Only the folder of
 * temporary copies, which jobs need, is on the disk.
 */
export function openS3Store(options: FileStoreOptions & { url: string }): FileStore {
  const { url, dir, ttlMs, minFreeBytes, minFreeInodes = 0, maxBytes } = options;
  const { abandonedMs = ttlMs, patient = false } = options;
  const place = parseFilesUrl(url);
  const bucket = openBucket(place, { patient });
  const root = resolve(dir);
  const scratch = openScratch(join(root, 'copies'));
  const room = openDiskRoom({ root, minFreeBytes, minFreeInodes });

  async function look(id: string): Promise<FileObjects> {
    const objects = [];
    for await (const object of bucket.list(`${id}/`)) objects.push(object);
    return describeFile(id, objects);
  }

  async function read(id: string): Promise<KeptFile | undefined> {
    if (!isFileId(id)) return undefined;
    const [file, text] = await Promise.all([look(id), bucket.text(recordKey(id))]);
    const record = text === undefined ? undefined : parseRecord(text);
    if (!record || !file.content) return undefined;
    return {
      ...record,
      found: { ...record.file, storedAt: file.content.modifiedAt },
      expired: file.usedAt + ttlMs < serverNow(),
    };
  }

  /**
   * Sets the time of a file's last use, unless it is later already.
   * @returns whether the file exists
   */
  async function useAt(id: string, at: number): Promise<boolean> {
    if (!isFileId(id)) return false;
    const file = await look(id);
    if (!file.isComplete) return false;
    if (file.usedAt >= at) return true;
    await bucket.put(useKey(id, at), '');
    const older = file.objects.filter(({ key }) => useIn(key) !== undefined);
    await Promise.all(older.map(({ key }) => bucket.remove(key)));
    return true;
  }

  /** Removes a file. Without its record it is no longer there, whatever happens to the rest. */
  async function removeAll({ id, objects }: FileObjects): Promise<void> {
    const record = recordKey(id);
    if (objects.some(({ key }) => key === record)) await bucket.remove(record);
    const rest = objects.filter(({ key }) => key !== record);
    await Promise.all(rest.map(({ key }) => bucket.remove(key)));
  }

  const pending = new Set<Promise<unknown>>();
  function untilDone<T>(work: Promise<T>): Promise<T> {
    const settled: Promise<unknown> = work.catch(() => {}).finally(() => pending.delete(settled));
    pending.add(settled);
    return work;
  }

  /** Removes what is left of an upload that failed. What cannot be removed is left to the sweep. */
  async function clear(id: string, sending: Promise<unknown> | undefined): Promise<void> {
    const clearing = (async () => {
      // A part that arrives after the abort would stay.
      await sending?.catch(() => {});
      for await (const upload of bucket.openUploads(contentKey(id))) await bucket.abort(upload);
      await removeAll(await look(id));
    })();
    await Promise.race([untilDone(clearing).catch(() => {}), delay(CLEAR_MS, undefined, { ref: false })]);
  }

  /**
   * Stores a content under a new id.
   * @param check called with the length of the content; throws if it is not complete
   */
  async function store(
    name: string,
    content: Readable,
    limits: { maxBytes: number; atMostBytes: number },
    check: (size: number) => void,
    madeBy?: string,
  ): Promise<StoredFile> {
    const id = newFileId();
    // The upload may have been aborted meanwhile. A pipeline from a destroyed stream would never end.
    if (content.destroyed) throw content.errored ?? aborted();
    const measure = createMeasure({ maxBytes: limits.maxBytes });
    const sending = bucket.upload(contentKey(id), measure, limits.atMostBytes).catch((error) => {
      measure.destroy(error);
      throw error;
    });
    // The error of the content comes first, and is the cause of the other one.
    sending.catch(() => {});
    try {
      await pipeline(content, measure);
      await sending;
      const size = measure.count;
      check(size);
      const stored = (await look(id)).content?.size;
      if (stored !== size) throw incomplete(stored, size);
      const file = { id, name: cleanFileName(name), size, sha256: measure.digest() };
      await bucket.put(useKey(id, serverNow()), '');
      await bucket.put(recordKey(id), writeRecord(file, madeBy));
      return file;
    } catch (error) {
      await clear(id, sending);
      throw error;
    }
  }

  async function save(
    name: string,
    content: Readable,
    expectedBytes?: number,
    atMostBytes = expectedBytes ?? maxBytes,
  ): Promise<StoredFile> {
    if (expectedBytes !== undefined && expectedBytes > maxBytes) throw tooLarge(maxBytes);
    try {
      return await store(
        name,
        content,
        { maxBytes, atMostBytes: Math.min(maxBytes, atMostBytes) },
        (size) => {
          if (expectedBytes !== undefined && size !== expectedBytes) throw aborted();
        },
      );
    } catch (error) {
      throw asUploadError(error);
    }
  }

  async function create(
    name: string,
    write: (path: string) => Promise<void>,
    madeBy?: string,
    workspace?: Pick<Workspace, 'path'>,
  ): Promise<StoredFile> {
    const own = workspace ? undefined : scratch.open();
    const folder = (workspace ?? (own as Workspace)).path;
    const path = join(folder, randomBytes(9).toString('base64url'));
    try {
      await prepareWorkspace(folder);
      return await makeFile(room, path, write, (size) =>
        store(
          name,
          createReadStream(path),
          { maxBytes: Number.POSITIVE_INFINITY, atMostBytes: size },
          () => {},
          madeBy,
        ),
      );
    } finally {
      await rm(path, { recursive: true, force: true }).catch(() => {});
      await own?.remove();
    }
  }

  async function copy(file: StoredFile, folder: string): Promise<string> {
    await prepareWorkspace(folder);
    const path = join(folder, file.id);
    const target = createWriteStream(path, { mode: 0o600 });
    const reserved = await room.reserve(file.size, () => target.bytesWritten);
    try {
      await pipeline(readChecked(file, undefined, bucket.bytes(contentKey(file.id), file.size)), target);
      return path;
    } catch (error) {
      await rm(path, { force: true }).catch(() => {});
      throw error;
    } finally {
      reserved.release();
    }
  }

  /** Tries everything that Headway does with the bucket. */
  async function tryAll(): Promise<void> {
    const key = `${newFileId()}/check`;
    await bucket.put(key, key);
    try {
      const text = await bucket.text(key);
      if (text !== key) throw unusable(`an object was written and read back as ${JSON.stringify(text)}`);
      let found = false;
      for await (const object of bucket.list(key)) found ||= object.key === key;
      if (!found) throw unusable('an object that was just written is missing in the list');
      const upload = await bucket.beginUpload(key);
      try {
        for await (const _ of bucket.openUploads(key));
      } finally {
        await bucket.abort(upload);
      }
    } finally {
      await bucket.remove(key);
    }
  }

  return {
    save: (...args) => untilDone(save(...args)),
    create: (...args) => untilDone(create(...args)),
    async stat(id) {
      const kept = await read(id);
      return kept?.expired ? undefined : kept?.found;
    },
    find: async (id) => (await read(id))?.found,
    read: (file, range) => readChecked(file, range, bucket.bytes(contentKey(file.id), file.size, range)),
    async local(file, workspace) {
      if (!workspace) throw new Error('a copy of a file needs a workspace');
      return copy(file, workspace.path);
    },
    workspace: () => scratch.open(),
    touch: (id) => useAt(id, serverNow()),
    async keep(id, until) {
      // The last use may be in the future.
      await useAt(id, until - ttlMs);
    },
    async remove(id, unlessUsedAfter = Number.POSITIVE_INFINITY) {
      if (!isFileId(id)) throw new HeadwayError('unknown-file', 'This is not the id of a file.');
      const file = await look(id);
      if (file.isComplete && file.usedAt > Math.max(unlessUsedAfter, serverNow() - ttlMs)) return;
      await removeAll(file);
    },
    async sweep(isHeld, now = serverNow()) {
      return sweepBucket({
        bucket,
        ttlMs,
        abandonedMs,
        maxBytes,
        isHeld,
        makerOf: async (id) => parseRecord((await bucket.text(recordKey(id))) ?? '')?.madeBy,
        look,
        touch: useAt,
        remove: removeAll,
        now,
        shift: now - serverNow(),
      });
    },
    tidy: () => scratch.tidy(),
    async check(how) {
      try {
        await (how === 'answers' ? bucket.ping() : tryAll());
      } catch (error) {
        const { cause } = error as Error;
        if (cause instanceof StorageFault && cause.mistake) throw new UnusableFilesError(cause.mistake);
        throw error;
      }
    },
    async idle() {
      await Promise.all(pending);
    },
    conceal: (message) => concealFiles(message, root),
  };
}

const incomplete = (stored: number | undefined, size: number): HeadwayError =>
  new HeadwayError('unavailable', 'The file storage is unavailable. Try again soon.', undefined, {
    cause: new StorageFault(`upload: ${stored ?? 'none'} of ${size} bytes were stored`, undefined),
  });

const unusable = (what: string): UnusableFilesError =>
  new UnusableFilesError(`cannot use the files of FILES_URL: ${what}`);
