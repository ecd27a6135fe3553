import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { HeadwayError } from '../../../../shared/errors.js';
import type { JobContext } from '../../../../shared/jobs/definition.js';
import { asSystemError } from '../system-error.js';
import { fileKind, READABLE } from './kind.js';
import { entryFault, openZip, type ZipItem } from './zip.js';

/** Of a name in a zip, which may have 65,535 bytes, this much is shown. */
const MAX_NAME = 150;

/** An image that was taken out of a zip: a file of the job. */
export interface UnpackedImage {
  /** The same in every attempt. */
  key: string;
  /** As the zip has it, with its folders. */
  name: string;
  id: string;
}

/** An image that cannot be used, or a variant of it that cannot be made, and why. */
export interface FailedImage {
  name: string;
  /** The name that the variant would have had. Absent if the whole image cannot be used. */
  variant?: string;
  reason: string;
}

/**
 * Takes the images out of a zip, each as a file of the job; progress counts them. When it has to stop, none of them
 * stays.
 * @throws PermanentError for a zip that cannot be used as a whole
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
      const name = shown(item.name);
      const taken = await take(item, ctx);
      if ('reason' in taken) failed.push({ name, reason: taken.reason });
      else images.push({ key: `${index} ${name}`, name, id: taken.id });
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

/** The start and the end of a name: the end tells files in the same deep folder apart. */
function shown(name: string): string {
  const letters = Array.from(name);
  if (letters.length <= MAX_NAME) return name;
  return [...letters.slice(0, 50), '…', ...letters.slice(51 - MAX_NAME)].join('');
}

async function take(
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
    return { reason: `not an image that can be read (${READABLE})` };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HeadwayError) throw error;
    // Of the disk: no fault of the image.
    const system = asSystemError(error);
    if (system) throw system;
    return { reason: `cannot be unpacked: ${entryFault(error as Error)}` };
  }
}
