import { firstBytes } from './read-bytes.js';

/** The type of a file according to its first bytes. */
export type FileKind = 'zip' | 'image' | 'other';

/** First bytes of supported images: JPEG, PNG, GIF, TIFF (both byte orders). */
const IMAGES = ['ffd8ff', '89504e470d0a1a0a', '47494638', '49492a00', '4d4d002a'];
/** First bytes of a zip: with entries, or empty. */
const ZIPS = ['504b0304', '504b0506'];

/** The supported image formats, for messages. */
export const READABLE = 'JPEG, PNG, WebP, AVIF, GIF or TIFF';

/** Determines the type of a file from its first 12 bytes (or more). */
export function kindOf(start: Buffer): FileKind {
  const hex = start.toString('hex', 0, 8);
  if (ZIPS.some((magic) => hex.startsWith(magic))) return 'zip';
  if (IMAGES.some((magic) => hex.startsWith(magic))) return 'image';
  const text = start.toString('latin1', 0, 12);
  if (text.startsWith('RIFF') && text.endsWith('WEBP')) return 'image';
  return /^ftyp(avif|avis|mif1|msf1)/.test(text.slice(4)) ? 'image' : 'other';
}

export const fileKind = async (path: string): Promise<FileKind> => kindOf(await firstBytes(path, 12));
