import { type FileHandle, open } from 'node:fs/promises';
import { readAt } from './read-at.js';

/** A file has few parts before the ones that are looked for; a damaged one may seem to have any number. */
const MAX_PARTS = 1000;
/** The description of an image sequence has a few bytes for each frame. */
const MAX_MOVIE_BYTES = 16 * 1024 * 1024;

/**
 * How many frames an animation has of which libvips sees only the first: an animated PNG, or a sequence of AVIF images.
 * @param format as sharp names it
 * @returns undefined for other images
 */
export async function hiddenFrames(path: string, format: string | undefined): Promise<number | undefined> {
  if (format !== 'png' && format !== 'heif') return undefined;
  const file = await open(path);
  try {
    return format === 'png' ? await framesOfPng(file) : await framesOfSequence(file);
  } finally {
    await file.close();
  }
}

/** The chunk `acTL` of an animated PNG stands before the image data (PNG, third edition, 11.3.6.1). */
async function framesOfPng(file: FileHandle): Promise<number | undefined> {
  for (let at = 8, parts = 0; parts < MAX_PARTS; parts++) {
    const head = await readAt(file, at, 12);
    const type = head.toString('latin1', 4, 8);
    if (head.length < 12 || type === 'IDAT') return undefined;
    if (type === 'acTL') return head.readUInt32BE(8);
    at += 12 + head.readUInt32BE(0);
  }
  return undefined;
}

/** The movie box of a sequence has a track of pictures, whose sample sizes (`stsz`) tell how many there are (ISO 14496-12). */
async function framesOfSequence(file: FileHandle): Promise<number | undefined> {
  for (let at = 0, parts = 0; parts < MAX_PARTS; parts++) {
    const head = await readAt(file, at, 16);
    const box = head.length < 8 ? undefined : boxAt(head, 0);
    if (!box) return undefined;
    if (box.type === 'moov')
      return framesOfMovie(await readAt(file, at + box.head, Math.min(box.size, MAX_MOVIE_BYTES)));
    // The last box may go to the end of the file.
    if (box.size === 0) return undefined;
    at += box.size;
  }
  return undefined;
}

function framesOfMovie(movie: Buffer): number | undefined {
  for (const track of boxesIn(movie, 'trak')) {
    const media = inside(track, 'mdia');
    const handler = inside(media, 'hdlr')?.toString('latin1', 8, 12);
    const sizes = inside(inside(inside(media, 'minf'), 'stbl'), 'stsz');
    // The other tracks hold transparency.
    if (handler === 'pict' && sizes && sizes.length >= 12) return sizes.readUInt32BE(8);
  }
  return undefined;
}

const inside = (box: Buffer | undefined, type: string): Buffer | undefined =>
  box && [...boxesIn(box, type)][0];

/** The contents of the boxes of a type. */
function* boxesIn(content: Buffer, type: string): Generator<Buffer> {
  for (let at = 0; at + 8 <= content.length; ) {
    const box = boxAt(content, at);
    if (!box || box.size === 0) return;
    if (box.type === type) yield content.subarray(at + box.head, at + box.size);
    at += box.size;
  }
}

/** A box's type, its size with its head, and the size of its head. */
function boxAt(bytes: Buffer, at: number): { type: string; size: number; head: number } | undefined {
  const type = bytes.toString('latin1', at + 4, at + 8);
  const short = bytes.readUInt32BE(at);
  if (short !== 1) return short === 0 || short >= 8 ? { type, size: short, head: 8 } : undefined;
  if (at + 16 > bytes.length) return undefined;
  const size = Number(bytes.readBigUInt64BE(at + 8));
  return size >= 16 && Number.isSafeInteger(size) ? { type, size, head: 16 } : undefined;
}
