/** A part of a picture: its position, its PNG in base64, and the size of the whole picture. */
export interface PictureTile {
  x: number;
  y: number;
  width: number;
  height: number;
  png: string;
  of: { width: number; height: number };
}

/** The largest side of a canvas that every browser supports. */
const MAX_SIDE = 8192;

/** Whether a chunk of a partial result can be drawn. */
export function isTile(value: unknown): value is PictureTile {
  const tile = value as PictureTile | null;
  const { width = 0, height = 0 } = tile?.of ?? {};
  return (
    [tile?.x, tile?.y, tile?.width, tile?.height].every((n) => Number.isFinite(n)) &&
    [width, height].every((side) => Number.isInteger(side) && side > 0 && side <= MAX_SIDE) &&
    typeof tile?.png === 'string' &&
    /^[A-Za-z0-9+/]+={0,2}$/.test(tile.png)
  );
}
