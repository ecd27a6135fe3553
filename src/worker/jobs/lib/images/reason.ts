import { PermanentError } from '../../../../shared/errors.js';
import { asVipsSystemError } from '../system-error.js';
import { READABLE } from './kind.js';

/** Maximum number of pixels of an image, over all its frames: 100 million pixels need about 400 MB of memory. */
export const MAX_PIXELS = 100_000_000;
/** Time limit for one variant, in seconds. */
export const MAX_SECONDS = 120;

/** The longest side that a format supports, by the name of the format in messages of libvips. */
const LONGEST_SIDE: Record<string, { name: string; pixels: number }> = {
  JPEG: { name: 'JPEG', pixels: 65_535 },
  WebP: { name: 'WebP', pixels: 16_383 },
  HEIF: { name: 'AVIF', pixels: 16_384 },
};

/**
 * Converts an error from sharp into one with a message for viewers: the library's messages contain paths of files on
 * the server.
 * @returns a `PermanentError`, unless the operating system is the cause
 */
export function explained(error: Error): Error {
  const system = asVipsSystemError(error);
  if (system) return system;
  return new PermanentError(reasonOf(error.message), { cause: error });
}

function reasonOf(message: string): string {
  if (/pixel limit/i.test(message)) return `more than ${MAX_PIXELS / 1e6} million pixels`;
  if (/unsupported image format|no known loader|is not a known file format/i.test(message))
    return `not a supported image (${READABLE})`;
  if (/timeout/i.test(message)) return `took longer than ${MAX_SECONDS} s`;
  const format = /too large for the (\w+) format/i.exec(message)?.[1];
  if (format) {
    const { name, pixels } = LONGEST_SIDE[format] ?? { name: format, pixels: undefined };
    const most = pixels ? `, which supports at most ${pixels.toLocaleString('en')} pixels per side` : '';
    return `too large for ${name}${most}`;
  }
  const isCut = /premature end|unexpected end|unexpected eof|truncat/i.test(message);
  return `damaged (${isCut ? 'the file is truncated' : 'the content cannot be decoded'})`;
}
