import { type FileHandle, open } from 'node:fs/promises';
import { readAt } from './read-bytes.js';

/** Maximum number of chunks or boxes to read. Valid files have few; a damaged file may seem to have any number. */
const MAX_PARTS = 1000;
/** Maximum number of bytes to read of the movie box, which has a few bytes for each frame of a sequence. */
const MAX_MOVIE_BYTES = 16 * 1024 * 1024;

/**
 * Counts the frames of animations of which libvips reads only the first frame: animated PNG and AVIF sequences.
 * @param format the name of the format in sharp
 * @returns `undefined` for other images
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

/** Reads the `acTL` chunk of an animated PNG, which precedes the image data (PNG, third edition, 11.3.6.1). */
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

/** Reads the number of samples (`stsz`) of the picture track in the movie box (`moov`) of a sequence (ISO 14496-12). */
async function framesOfSequence(file: FileHandle): Promise<number | undefined> {
  for (let at = 0, parts = 0; parts < MAX_PARTS; parts++) {
    const head = await readAt(file, at, 16);
    const box = head.length < 8 ? undefined : boxAt(head, 0);
    if (!box) return undefined;
    if (box.type === 'moov')
      return framesOfMovie(await readAt(file, at + box.head, Math.min(box.size, MAX_MOVIE_BYTES)));
    // Size 0 means that the box extends to the end of the file.
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
    // Other tracks contain transparency.
    if (handler === 'pict' && sizes && sizes.length >= 12) return sizes.readUInt32BE(8);
  }
  return undefined;
}

const inside = (box: Buffer | undefined, type: string): Buffer | undefined =>
  box && [...boxesIn(box, type)][0];

/** Yields the content of each box of a type. */
function* boxesIn(content: Buffer, type: string): Generator<Buffer> {
  for (let at = 0; at + 8 <= content.length; ) {
    const box = boxAt(content, at);
    if (!box || box.size === 0) return;
    if (box.type === type) yield content.subarray(at + box.head, at + box.size);
    at += box.size;
  }
}

/** Reads the type of a box, its size including its header, and the size of the header. */
function boxAt(bytes: Buffer, at: number): { type: string; size: number; head: number } | undefined {
  const type = bytes.toString('latin1', at + 4, at + 8);
  const short = bytes.readUInt32BE(at);
  if (short !== 1) return short === 0 || short >= 8 ? { type, size: short, head: 8 } : undefined;
  if (at + 16 > bytes.length) return undefined;
  const size = Number(bytes.readBigUInt64BE(at + 8));
  return size >= 16 && Number.isSafeInteger(size) ? { type, size, head: 16 } : undefined;
}
