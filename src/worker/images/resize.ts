import type sharp from 'sharp';
import { explained, MAX_PIXELS, MAX_SECONDS } from './reason.js';
import type { Variant } from './variant.js';

const WHITE = { r: 255, g: 255, b: 255 };
const CLEAR = { ...WHITE, alpha: 0 };

/** An image as it was found. */
export interface Source {
  path: string;
  /** How many images the file has: the frames of an animation, the pages of a TIFF. */
  frames: number;
  /** Whether it is an animation that can be kept as one. */
  animated: boolean;
}

/** What was made: the size in pixels, and how many frames it has. */
export interface Resized {
  width: number;
  height: number;
  frames: number;
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
 * Reads the header of an image.
 * @throws PermanentError for what is no image, is damaged, or has too many pixels
 */
export async function inspect(path: string): Promise<Source> {
  const library = await load();
  try {
    const image = library(path, { limitInputPixels: MAX_PIXELS, failOn: 'error' });
    const { format, width, height, pages = 1, orientation = 1 } = await image.metadata();
    const moves = pages > 1 && (format === 'gif' || format === 'webp');
    // libvips holds the frames as one tall picture: it can neither be too large nor turned.
    const animated = moves && width * height * pages <= MAX_PIXELS && orientation === 1;
    return { path, frames: pages, animated };
  } catch (error) {
    throw explained(error as Error);
  }
}

/**
 * Makes one variant of an image: turned the way its EXIF orientation says, in sRGB, without the original's metadata
 * (which may say where a photograph was taken). An animation stays one in WebP; other formats show its first frame.
 * @throws PermanentError if the image is damaged, or the format cannot hold it
 */
export async function resize(from: Source, to: string, variant: Variant): Promise<Resized> {
  const { width, height, fit = 'inside', format, quality } = variant;
  const library = await load();
  const animated = from.animated && format === 'webp';
  const image = library(from.path, { limitInputPixels: MAX_PIXELS, failOn: 'error', animated })
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
    return { width: made.width, height: made.pageHeight ?? made.height, frames: made.pages ?? 1 };
  } catch (error) {
    throw explained(error as Error);
  }
}
