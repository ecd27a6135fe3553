import type { Config } from '../process/config.js';
import type { FileStore, FileStoreOptions } from './contract.js';
import { openFolderStore } from './folder-store.js';
import { openS3Store } from './s3/store.js';

export type {
  ByteRange,
  FileStore,
  FileStoreOptions,
  FoundFile,
  ResultFile,
  StoredFile,
  Workspace,
} from './contract.js';

/** A partial upload of a process that died is kept at least this long, in ms. */
const MIN_ABANDONED_MS = 15 * 60_000;

/** Returns the options of the file store from the configuration. */
export const fileStoreOptions = (config: Config): FileStoreOptions => ({
  url: config.FILES_URL,
  dir: config.FILES_DIR,
  ttlMs: config.FILES_TTL_MS,
  minFreeBytes: config.FILES_MIN_FREE_BYTES,
  minFreeInodes: config.FILES_MIN_FREE_INODES,
  maxBytes: config.UPLOAD_MAX_BYTES,
  // An upload that sends nothing is ended after STALL_TIMEOUT_MS.
  abandonedMs: Math.max(MIN_ABANDONED_MS, 2 * config.STALL_TIMEOUT_MS),
});

/** Opens the files of an installation: in a bucket if `url` names one, else in the folder `dir`. Nothing is read or loaded yet. */
export const openFileStore = (options: FileStoreOptions): FileStore =>
  options.url ? openS3Store({ ...options, url: options.url }) : openFolderStore(options);
