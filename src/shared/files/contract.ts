import type { Readable } from 'node:stream';
import type { HeldFiles } from './sweep.js';

/** A stored file. `size` is in bytes. */
export interface StoredFile {
  id: string;
  name: string;
  size: number;
  sha256: string;
}

/** A file in a job's result. `href` is its download address for viewers of the job. */
export type ResultFile = StoredFile & { href: string };

/** A file that was found in the store. */
export interface FoundFile extends StoredFile {
  /** When its content was stored, in ms since 1970. The content never changes. */
  storedAt: number;
}

export interface FileStoreOptions {
  /** The bucket of the files, as in `FILES_URL`. Empty for files in `dir`. */
  url?: string;
  /** The folder of the files. With a bucket, the folder of the temporary copies that jobs need. */
  dir: string;
  /** How long a file is kept after its last use, in ms. */
  ttlMs: number;
  /** Disk space that files, or temporary copies, leave free, in bytes. */
  minFreeBytes: number;
  /** Inodes that they leave free. Defaults to 0. */
  minFreeInodes?: number;
  /** Maximum size of an upload, in bytes. */
  maxBytes: number;
  /** After this time without a write, a partial upload is abandoned, in ms. Defaults to `ttlMs`. */
  abandonedMs?: number;
  /**
   * Whether failed calls to a bucket are repeated for about a minute instead of a few seconds: a job has more to lose than a
   * request. Defaults to false.
   */
  patient?: boolean;
}

/** A part of a file: the first and the last byte, counted from 0. */
export interface ByteRange {
  start: number;
  end: number;
}

/** A folder on this machine for the temporary files of one attempt of a job. It is created when it is needed. */
export interface Workspace {
  /** @throws Error after `remove` */
  readonly path: string;
  /** Removes the folder with everything in it. Never rejects. */
  remove(): Promise<void>;
}

/**
 * The files of an installation, which API and workers share: in a folder (`folder-store.ts`) or in a bucket (`s3/store.ts`). A
 * file is visible when it is complete, and never changes.
 *
 * Every method may reject with the HeadwayError `unavailable` if the store does not answer.
 */
export interface FileStore {
  /**
   * Stores the content of a stream. When the promise rejects, nothing is left of it.
   * @param expectedBytes the length, if known. A file that is too large is refused before anything is read.
   * @param atMostBytes an upper bound of the length, such as that of the whole form. This much room is reserved at once. Without
   *   a bound, room is reserved in steps as the file grows
   * @throws HeadwayError `file-too-large`, `disk-full`, `upload-aborted`
   */
  save(name: string, content: Readable, expectedBytes?: number, atMostBytes?: number): Promise<StoredFile>;
  /**
   * Stores a file that `write` creates at the given path. Room is reserved as the file grows.
   * @param madeBy the id of the job that makes the file
   * @param workspace for the file until it is stored, if the store needs it on the disk
   * @throws HeadwayError `disk-full`, perhaps only after `write`
   */
  create(
    name: string,
    write: (path: string) => Promise<void>,
    madeBy?: string,
    workspace?: Pick<Workspace, 'path'>,
  ): Promise<StoredFile>;
  /** Returns a file; `undefined` if it does not exist or has expired. */
  stat(id: string): Promise<FoundFile | undefined>;
  /** Like `stat`, but also returns an expired file that is not removed yet, such as one that a job holds. */
  find(id: string): Promise<FoundFile | undefined>;
  /**
   * Returns the content as a stream. It emits the HeadwayError `file-damaged` instead of the last bytes if the content does not
   * match the size and, unless only a range is read, the SHA-256 of the file; `gone` if the file was removed.
   * @param range all by default
   */
  read(file: StoredFile, range?: ByteRange): Readable;
  /**
   * Returns a path on this machine with the content: of the file itself, or of a copy in the workspace.
   * @throws HeadwayError `file-damaged`, `gone`, `disk-full`
   */
  local(file: StoredFile, workspace?: Pick<Workspace, 'path'>): Promise<string>;
  /** Returns a new workspace for an attempt; `undefined` if the files are on the disk anyway. */
  workspace(): Workspace | undefined;
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
   * Removes expired files that are not held, and what is left of uploads whose process died. An expired file that is held
   * counts as used now.
   * @returns the number of removed files and uploads
   */
  sweep(isHeld: HeldFiles, now?: number): Promise<number>;
  /** Removes the workspaces on this machine whose process died. */
  tidy(): Promise<void>;
  /**
   * Checks that the store can be used.
   * @param how `answers` for one quick call; `usable` tries everything that Headway does, and leaves nothing behind
   * @throws HeadwayError `unavailable` if waiting may help
   * @throws UnusableFilesError if the settings or the permissions have to be changed first
   */
  check(how: 'answers' | 'usable'): Promise<void>;
  /** Resolves when no upload is being written, or removed because it failed. */
  idle(): Promise<void>;
  /** Removes paths and file ids from an error message. */
  conceal(message: string): string;
}
