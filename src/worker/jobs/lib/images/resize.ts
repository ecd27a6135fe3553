import { readFile, stat } from 'node:fs/promises';
import type sharp from 'sharp';
import { loadOptional } from '../../../../shared/process/optional-packages.js';
import { asSystemError } from '../system-error.js';
import { hiddenFrames } from './frames.js';
import { firstBytes } from './read-bytes.js';
import { explained, MAX_PIXELS, MAX_SECONDS } from './reason.js';
import type { Variant } from './variant.js';

/** Larger AVIF sequences are not read into memory. */
const MAX_SEQUENCE_BYTES = 64 * 1024 * 1024;
const WHITE = { r: 255, g: 255, b: 255 };
const CLEAR = { ...WHITE, alpha: 0 };

/** The image of which variants are made. */
export interface Source {
  /** A path, or the content if libvips would not recognise the file. */
  input: string | Buffer;
  /** Number of images in the file: frames of an animation or sequence, or pages of a TIFF. */
  frames: number;
  /** Whether variants can be animations too. */
  animated: boolean;
}

/** Size of a variant in pixels, and its number of frames. */
export interface Resized {
  width: number;
  height: number;
  frames: number;
}

let loaded: Promise<typeof sharp> | undefined;

/** Loads sharp for the first image: it is large, and the API loads the job definitions too. */
function load(): Promise<typeof sharp> {
  loaded ??= loadOptional('images', () => import('sharp')).then(({ default: library }) => {
    // The worker decides how many jobs run at a time; one image must not occupy all CPUs.
    library.concurrency(1);
    library.cache(false);
    return library;
  });
  return loaded;
}

/**
 * Reads the header of an image.
 * @throws PermanentError if the file is not an image, is damaged, or has too many pixels
 */
export async function inspect(path: string): Promise<Source> {
  const library = await load();
  try {
    const input = await inputOf(path);
    const image = library(input, { limitInputPixels: MAX_PIXELS, failOn: 'error' });
    const { format, width, height, pages = 1, orientation = 1 } = await image.metadata();
    const isAnimation = pages > 1 && (format === 'gif' || format === 'webp');
    // libvips keeps the frames as one tall image, which must not be too large and cannot be rotated.
    const animated = isAnimation && width * height * pages <= MAX_PIXELS && orientation === 1;
    const frames = Math.max(pages, (await hiddenFrames(path, format)) ?? 1);
    return { input, frames, animated };
  } catch (error) {
    throw asSystemError(error) ?? explained(error as Error);
  }
}

/**
 * Returns the input for sharp. libvips does not recognise the brand of AVIF sequences, `avis`. Such a file is usually an AVIF
 * image as well (its first frame), so the brand is replaced by `avif`.
 */
async function inputOf(path: string): Promise<string | Buffer> {
  const start = await firstBytes(path, 12);
  if (start.toString('latin1', 4) !== 'ftypavis' || (await stat(path)).size > MAX_SEQUENCE_BYTES) return path;
  const content = await readFile(path);
  content.write('avif', 8, 'latin1');
  return content;
}

/**
 * Creates one variant of an image: rotated by its EXIF orientation, in sRGB, and without metadata, which may contain the
 * place where a photograph was taken. Animations stay animated in WebP; other formats show the first frame.
 * @throws PermanentError if the image is damaged or too large for the format
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
  // JPEG has no transparency.
  if (format === 'jpeg') image.flatten({ background: WHITE });
  image.toFormat(format, quality ? { quality } : {});
  try {
    const made = await image.toFile(to);
    return { width: made.width, height: made.pageHeight ?? made.height, frames: made.pages ?? 1 };
  } catch (error) {
    throw explained(error as Error);
  }
}
