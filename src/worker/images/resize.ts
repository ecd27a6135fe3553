import type sharp from 'sharp';
import { PermanentError } from '../../shared/errors.js';
import { READABLE } from './kind.js';
import type { Variant } from './variant.js';

/** An image of more pixels is refused: it would need some 400 MB of memory. */
const MAX_PIXELS = 100_000_000;
/** One variant takes no longer than this. */
const MAX_SECONDS = 120;
/** What the library says where it could not write: no fault of the image. */
const OF_THE_DISK = /no space left|quota exceeded|permission denied|read-only file system/i;
const WHITE = { r: 255, g: 255, b: 255 };
const CLEAR = { ...WHITE, alpha: 0 };

/** What was made. */
export interface Resized {
  width: number;
  height: number;
}

let loaded: Promise<typeof sharp> | undefined;

/** Loads the library when the first image comes: it is large, and the API reads these definitions too. */
function load(): Promise<typeof sharp> {
  loaded ??= import('sharp').then(({ default: library }) => {
    // The number of jobs at a time is the worker's business; one image is not to take all processors.
    library.concurrency(1);
    library.cache(false);
    return library;
  });
  return loaded;
}

/**
 * Makes one variant of an image: turned the way its EXIF orientation says, in sRGB, without the original's metadata
 * (which may say where a photograph was taken).
 * @throws PermanentError for what is no image, is damaged, or has too many pixels
 */
export async function resize(from: string, to: string, variant: Variant): Promise<Resized> {
  const { width, height, fit = 'inside', format, quality } = variant;
  const library = await load();
  const image = library(from, { limitInputPixels: MAX_PIXELS, failOn: 'error' })
    .timeout({ seconds: MAX_SECONDS })
    .autoOrient();
  if (width || height) {
    const background = format === 'jpeg' ? WHITE : CLEAR;
    image.resize({
      ...(width ? { width } : {}),
      ...(height ? { height } : {}),
      fit,
      background,
      withoutEnlargement: true,
    });
  }
  // JPEG knows no transparency.
  if (format === 'jpeg') image.flatten({ background: WHITE });
  image.toFormat(format, quality ? { quality } : {});
  try {
    const made = await image.toFile(to);
    return { width: made.width, height: made.height };
  } catch (error) {
    if (OF_THE_DISK.test((error as Error).message)) throw error;
    throw new PermanentError(reasonOf(error as Error), { cause: error });
  }
}

/** What the library says, in words for people. */
function reasonOf({ message }: Error): string {
  if (/pixel limit/i.test(message)) return `more than ${MAX_PIXELS / 1e6} million pixels`;
  if (/unsupported image format|no known loader/i.test(message))
    return `not an image that can be read (${READABLE})`;
  if (/timeout/i.test(message)) return `took longer than ${MAX_SECONDS} s`;
  const [first = ''] = message.split('\n');
  return `damaged (${first.replace(/^\w+: /, '')})`;
}
