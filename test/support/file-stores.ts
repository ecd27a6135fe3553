import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import type { FileStore, FileStoreOptions } from '../../src/shared/files/store.js';
import { openFileStore } from '../../src/shared/files/store.js';
import { temporaryFolder } from './folder.js';
import { type S3Server, startS3 } from './s3.js';

/** A store and what a test sees and changes behind its back. */
export interface Backing {
  store: FileStore;
  open(options?: Partial<FileStoreOptions>): FileStore;
  /** The paths or keys of everything that is stored: `<id>/content` and so on. */
  list(): Promise<string[]>;
  read(key: string): Promise<Buffer>;
  write(key: string, content: Uint8Array): Promise<void>;
  remove(key: string): Promise<void>;
  /** Sets the time of the last use of a file. */
  setUse(id: string, at: number): Promise<void>;
  stop(): Promise<void>;
}

const OPTIONS = { ttlMs: 60_000, minFreeBytes: 0, maxBytes: 20 * 1024 * 1024, abandonedMs: 15 * 60_000 };

export function folderBacking(): Backing {
  const dir = temporaryFolder();
  const open = (options: Partial<FileStoreOptions> = {}): FileStore =>
    openFileStore({ ...OPTIONS, dir, ...options });
  return {
    store: open(),
    open,
    async list() {
      return readdirSync(dir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
        .filter((path) => !path.startsWith('reserved/'))
        .sort();
    },
    read: async (key) => readFileSync(join(dir, key)),
    write: async (key, content) => writeFileSync(join(dir, key), content),
    remove: async (key) => rmSync(join(dir, key)),
    async setUse(id, at) {
      utimesSync(join(dir, id, 'file.json'), at / 1000, at / 1000);
    },
    stop: async () => {},
  };
}

/** A store in a bucket, below the prefix `some/where/`. */
export async function bucketBacking(given?: S3Server): Promise<Backing & { s3: S3Server; dir: string }> {
  const s3 = given ?? (await startS3());
  const prefix = 'some/where/';
  const dir = temporaryFolder();
  const open = (options: Partial<FileStoreOptions> = {}): FileStore =>
    openFileStore({ ...OPTIONS, url: s3.filesUrl(prefix), dir, ...options });
  const at = (key: string) => ({ Bucket: s3.bucket, Key: prefix + key });
  const list = async (): Promise<string[]> => {
    const { Contents = [] } = await s3.client.send(
      new ListObjectsV2Command({ Bucket: s3.bucket, Prefix: prefix }),
    );
    return Contents.map(({ Key = '' }) => Key.slice(prefix.length)).sort();
  };
  return {
    s3,
    dir,
    store: open(),
    open,
    list,
    async read(key) {
      const { Body } = await s3.client.send(new GetObjectCommand(at(key)));
      return Buffer.from(await Body!.transformToByteArray());
    },
    async write(key, content) {
      await s3.client.send(new PutObjectCommand({ ...at(key), Body: content }));
    },
    remove: (key) => s3.remove(prefix + key),
    async setUse(id, time) {
      for (const key of await list()) if (key.startsWith(`${id}/used-`)) await s3.remove(prefix + key);
      await s3.client.send(
        new PutObjectCommand({ ...at(`${id}/used-${String(time).padStart(15, '0')}`), Body: '' }),
      );
    },
    stop: () => (given ? Promise.resolve() : s3.stop()),
  };
}
