import type { HeldFiles } from '../sweep.js';
import { type Bucket, partBytes } from './bucket.js';
import { type FileObjects, filesIn } from './objects.js';

export interface S3SweepOptions {
  bucket: Bucket;
  ttlMs: number;
  /** What is left of an upload is removed when nothing was added for this long, in ms. */
  abandonedMs: number;
  /** Maximum size of an upload, in bytes. */
  maxBytes: number;
  isHeld: HeldFiles;
  /** Returns the id of the job that made a file. */
  makerOf: (id: string) => Promise<string | undefined>;
  /** Looks at the objects of a file again. */
  look: (id: string) => Promise<FileObjects>;
  touch: (id: string, at: number) => Promise<unknown>;
  remove: (file: FileObjects) => Promise<void>;
  /** The time of Redis' clock that counts as now, in ms since 1970, and by how much it is ahead of the real one. */
  now: number;
  shift: number;
}

/** How many files are examined at a time. */
const AT_ONCE = 16;
/** An expired file stays for this long, in ms: a process that found it just before may be about to renew it. */
const GRACE_MS = 2 * 60_000;
/** The slowest upload that is not ended sends this many bytes per second, so a part of it may take hours. */
const MIN_RATE = 1024;

/**
 * Removes the expired files of a bucket that are not held, what has no record or content (its process died, or something
 * removed them), and abandoned multipart uploads.
 * @returns the number of removed files and uploads
 */
export async function sweepBucket(options: S3SweepOptions): Promise<number> {
  const { bucket } = options;
  let removed = 0;
  let batch: FileObjects[] = [];
  const examine = async (): Promise<void> => {
    const gone = await Promise.all(batch.map((file) => sweepFile(file, options)));
    removed += gone.filter(Boolean).length;
    batch = [];
  };
  for await (const file of filesIn(bucket.list('file_'))) {
    if (!isOver(file, options)) continue;
    batch.push(file);
    if (batch.length === AT_ONCE) await examine();
  }
  await examine();
  return removed + (await abortAbandoned(options));
}

function isOver(file: FileObjects, { bucket, ttlMs, abandonedMs, now, shift }: S3SweepOptions): boolean {
  if (file.isComplete) return file.usedAt + ttlMs + GRACE_MS < now;
  return file.changedAt + abandonedMs < bucket.now() + shift;
}

async function sweepFile(file: FileObjects, options: S3SweepOptions): Promise<boolean> {
  const { isHeld, makerOf, look, touch, remove, now } = options;
  if (file.isComplete && (await isHeld(file.id, await makerOf(file.id)))) {
    await touch(file.id, now);
    return false;
  }
  // It may have been used, or completed, while its holders were looked up.
  const again = await look(file.id);
  if (again.objects.length === 0 || !isOver(again, options)) return false;
  await remove(again);
  return true;
}

async function abortAbandoned({ bucket, abandonedMs, maxBytes, shift }: S3SweepOptions): Promise<number> {
  const staleMs = Math.max(abandonedMs, (2 * partBytes(maxBytes) * 1000) / MIN_RATE);
  const since = bucket.now() + shift - staleMs;
  let aborted = 0;
  for await (const upload of bucket.openUploads('file_')) {
    if (upload.begunAt >= since || (await bucket.newestPart(upload)) >= since) continue;
    await bucket.abort(upload);
    aborted++;
  }
  return aborted;
}
