import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { HeadwayError } from '../../../../shared/errors.js';
import type { JobContext } from '../../../../shared/jobs/definition.js';
import { asSystemError } from '../system-error.js';
import { fileKind, READABLE } from './kind.js';
import { entryFault, openZip, type ZipItem } from './zip.js';

/** Length of displayed names. A name in a zip may have 65,535 bytes. */
const MAX_NAME = 150;

/** An image from a zip, now a file of the job. */
export interface UnpackedImage {
  /** The same in every attempt. */
  key: string;
  /** Name in the zip, with folders. */
  name: string;
  id: string;
}

/** An image that cannot be used, or a variant that cannot be made, with the reason. */
export interface FailedImage {
  name: string;
  /** File name of the variant. Absent if the whole image cannot be used. */
  variant?: string;
  reason: string;
}

/**
 * Extracts the images of a zip as files of the job, and reports progress by the number of files. If the job is stopped,
 * the files are removed.
 * @throws PermanentError if the zip as a whole cannot be used
 */
export async function unpackImages(
  path: string,
  ctx: JobContext,
): Promise<{ images: UnpackedImage[]; failed: FailedImage[] }> {
  const images: UnpackedImage[] = [];
  const failed: FailedImage[] = [];
  const zip = await openZip(path);
  try {
    for (const [index, item] of zip.items.entries()) {
      ctx.progress({ current: index, total: zip.items.length, unit: 'files' });
      const name = shortName(item.name);
      const extracted = await extract(item, ctx);
      if ('reason' in extracted) failed.push({ name, reason: extracted.reason });
      else images.push({ key: `${index} ${name}`, name, id: extracted.id });
    }
    ctx.progress({ current: zip.items.length, total: zip.items.length, unit: 'files' });
    return { images, failed };
  } catch (error) {
    for (const { id } of images) await ctx.files.remove(id);
    throw error;
  } finally {
    zip.close();
  }
}

/** Shortens a name in the middle: its end distinguishes files in the same deep folder. */
function shortName(name: string): string {
  const letters = Array.from(name);
  if (letters.length <= MAX_NAME) return name;
  return [...letters.slice(0, 50), '…', ...letters.slice(51 - MAX_NAME)].join('');
}

async function extract(
  item: ZipItem,
  { files, signal }: JobContext,
): Promise<{ id: string } | { reason: string }> {
  if (item.reason !== undefined) return { reason: item.reason };
  signal.throwIfAborted();
  let isImage = false;
  try {
    const file = await files.create(item.name, async (to) => {
      await pipeline(await item.open(), createWriteStream(to, { mode: 0o600 }), { signal });
      isImage = (await fileKind(to)) === 'image';
    });
    if (isImage) return { id: file.id };
    await files.remove(file.id);
    return { reason: `not a supported image (${READABLE})` };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HeadwayError) throw error;
    // The disk may have caused the error, not the image.
    const system = asSystemError(error);
    if (system) throw system;
    return { reason: `cannot be extracted: ${entryFault(error as Error)}` };
  }
}
