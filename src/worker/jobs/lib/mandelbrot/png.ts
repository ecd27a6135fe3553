import { loadOptional } from '../../../../shared/process/optional-packages.js';
import type { Tile } from './tiles.js';

/** The pixels of an image: three bytes each (RGB), row by row. */
export interface RgbImage {
  pixels: Buffer;
  width: number;
  height: number;
}

/** Maximum number of pixels in a preview. */
const PREVIEW_PIXELS = 500_000;

/** Returns the factor by which tiles are scaled down for the preview: 1 or less. */
export const previewScale = ({ width, height }: RgbImage): number =>
  Math.min(1, Math.sqrt(PREVIEW_PIXELS / (width * height)));

/** Encodes a part of an image as PNG. @param scale 1 or less */
export async function encodePng({ pixels, width, height }: RgbImage, part: Tile, scale = 1): Promise<Buffer> {
  // Loaded on first use: sharp adds 16 MB of libraries to the process.
  const { default: sharp } = await loadOptional('images', () => import('sharp'));
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
