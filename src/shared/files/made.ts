import { stat } from 'node:fs/promises';
import { every } from '../process/every.js';
import { type DiskRoom, stepAfter } from './room.js';

/** How often the size of a file that a job makes is looked up, in ms. */
const MEASURE_MS = 200;

/**
 * Lets a job make a file, and reserves room on the disk as the file grows.
 * @param path where `write` creates the file
 * @param store called with the size of the complete file; the room is reserved until its promise is settled
 * @throws HeadwayError `disk-full`, perhaps only after `write`
 */
export async function makeFile<T>(
  room: DiskRoom,
  path: string,
  write: (path: string) => Promise<void>,
  store: (size: number) => Promise<T>,
): Promise<T> {
  let written = 0;
  const reserved = await room.reserve(stepAfter(0), () => written, 0);
  try {
    const measuring = every(
      MEASURE_MS,
      async () => {
        written = (await stat(path)).size;
        if (written > reserved.bytes / 2) await reserved.extend(stepAfter(written), written);
      },
      // There may be no file yet. If the disk is full, that is said when the file is complete.
      () => {},
    );
    await write(path).finally(() => measuring.stop());
    const { size } = await stat(path);
    written = size;
    await reserved.extend(size);
    return await store(size);
  } finally {
    reserved.release();
  }
}
