import { open } from 'node:fs/promises';
import { readAt } from './read-at.js';

/** What the first bytes of a file say that it is. */
export type FileKind = 'zip' | 'image' | 'other';

/** How the images begin that can be read: JPEG, PNG, GIF, TIFF (both byte orders). */
const IMAGES = ['ffd8ff', '89504e470d0a1a0a', '47494638', '49492a00', '4d4d002a'];
/** A zip: with entries, or with none. */
const ZIPS = ['504b0304', '504b0506'];

/** The formats of images that can be read, for people. */
export const READABLE = 'JPEG, PNG, WebP, AVIF, GIF or TIFF';

/** Tells by a file's first 12 bytes (more do no harm). */
export function kindOf(start: Buffer): FileKind {
  const hex = start.toString('hex', 0, 8);
  if (ZIPS.some((magic) => hex.startsWith(magic))) return 'zip';
  if (IMAGES.some((magic) => hex.startsWith(magic))) return 'image';
  const text = start.toString('latin1', 0, 12);
  if (text.startsWith('RIFF') && text.endsWith('WEBP')) return 'image';
  return /^ftyp(avif|avis|mif1|msf1)/.test(text.slice(4)) ? 'image' : 'other';
}

export const fileKind = async (path: string): Promise<FileKind> => kindOf(await firstBytes(path, 12));

/** The first bytes of a file, or as many as there are. */
export async function firstBytes(path: string, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    return await readAt(file, 0, length);
  } finally {
    await file.close();
  }
}
