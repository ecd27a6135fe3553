import { PermanentError } from '../../../../shared/errors.js';
import { asVipsSystemError } from '../system-error.js';
import { READABLE } from './kind.js';

/** An image of more pixels, in all its frames, is refused: it would need some 400 MB of memory. */
export const MAX_PIXELS = 100_000_000;
/** One variant takes no longer than this. */
export const MAX_SECONDS = 120;

/** The most pixels that a side of an image may have, by the name that sharp gives to a format. */
const LONGEST_SIDE: Record<string, { name: string; pixels: number }> = {
  JPEG: { name: 'JPEG', pixels: 65_535 },
  WebP: { name: 'WebP', pixels: 16_383 },
  HEIF: { name: 'AVIF', pixels: 16_384 },
};

/**
 * Turns an error of sharp into one whose message may be shown to viewers: the library's own text holds the paths of
 * files on the server.
 * @returns a PermanentError if the image cannot be used or the variant cannot be made of it
 */
export function explained(error: Error): Error {
  const system = asVipsSystemError(error);
  if (system) return system;
  return new PermanentError(reasonOf(error.message), { cause: error });
}

function reasonOf(message: string): string {
  if (/pixel limit/i.test(message)) return `more than ${MAX_PIXELS / 1e6} million pixels`;
  if (/unsupported image format|no known loader|is not a known file format/i.test(message))
    return `not an image that can be read (${READABLE})`;
  if (/timeout/i.test(message)) return `took longer than ${MAX_SECONDS} s`;
  const format = /too large for the (\w+) format/i.exec(message)?.[1];
  if (format) {
    const { name, pixels } = LONGEST_SIDE[format] ?? { name: format, pixels: undefined };
    const most = pixels ? `, which takes at most ${pixels.toLocaleString('en')} pixels a side` : '';
    return `too large for ${name}${most}`;
  }
  const isCut = /premature end|unexpected end|unexpected eof|truncat/i.test(message);
  return `damaged (${isCut ? 'it is cut off' : 'its content cannot be read'})`;
}
