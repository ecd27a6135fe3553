import { readFile, stat } from 'node:fs/promises';
import type sharp from 'sharp';
import { asSystemError } from '../system-error.js';
import { hiddenFrames } from './frames.js';
import { firstBytes } from './kind.js';
import { explained, MAX_PIXELS, MAX_SECONDS } from './reason.js';
import type { Variant } from './variant.js';

/** A longer sequence of AVIF images is not read into memory. */
const MAX_SEQUENCE_BYTES = 64 * 1024 * 1024;
const WHITE = { r: 255, g: 255, b: 255 };
const CLEAR = { ...WHITE, alpha: 0 };

/** An image as it was found. */
export interface Source {
  /** A path, or the content where libvips would not know the file. */
  input: string | Buffer;
  /** How many images the file has: the frames of an animation or a sequence, the pages of a TIFF. */
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
    const input = await inputOf(path);
    const image = library(input, { limitInputPixels: MAX_PIXELS, failOn: 'error' });
    const { format, width, height, pages = 1, orientation = 1 } = await image.metadata();
    const moves = pages > 1 && (format === 'gif' || format === 'webp');
    // libvips holds the frames as one tall picture: it can neither be too large nor turned.
    const animated = moves && width * height * pages <= MAX_PIXELS && orientation === 1;
    const frames = Math.max(pages, (await hiddenFrames(path, format)) ?? 1);
    return { input, frames, animated };
  } catch (error) {
    throw asSystemError(error) ?? explained(error as Error);
  }
}

/**
 * What sharp is given to read. libvips does not know an AVIF file by the name of a sequence, `avis`; as a rule such a file is
 * also an AVIF image, its first frame.
 */
async function inputOf(path: string): Promise<string | Buffer> {
  const start = await firstBytes(path, 12);
  if (start.toString('latin1', 4) !== 'ftypavis' || (await stat(path)).size > MAX_SEQUENCE_BYTES) return path;
  const content = await readFile(path);
  content.write('avif', 8, 'latin1');
  return content;
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
  const image = library(from.input, { limitInputPixels: MAX_PIXELS, failOn: 'error', animated })
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
