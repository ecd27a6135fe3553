import type { Tile } from './tiles.js';

/** A picture as its pixels: three bytes each, row by row. */
export interface Picture {
  pixels: Buffer;
  width: number;
  height: number;
}

/** So many pixels are enough to watch a picture come about. */
const PREVIEW_PIXELS = 500_000;

/** How much smaller the tiles of a large picture are shown while it is made: 1 or less. */
export const previewScale = ({ width, height }: Picture): number =>
  Math.min(1, Math.sqrt(PREVIEW_PIXELS / (width * height)));

/** A part of a picture as PNG, in its size or smaller. */
export async function encodePng({ pixels, width, height }: Picture, part: Tile, scale = 1): Promise<Buffer> {
  // Only for who needs it: it brings 16 MB of libraries into the process.
  const { default: sharp } = await import('sharp');
  const cut = sharp(pixels, { raw: { width, height, channels: 3 } }).extract({
    left: part.x,
    top: part.y,
    width: part.width,
    height: part.height,
  });
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  const sized = scale < 1 ? cut.resize(side(part.width), side(part.height), { fit: 'fill' }) : cut;
  return sized.png().toBuffer();
}
