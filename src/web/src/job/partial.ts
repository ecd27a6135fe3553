/** A part of a picture: where it goes, as PNG in base64, and how large the whole picture is. */
export interface PictureTile {
  x: number;
  y: number;
  width: number;
  height: number;
  png: string;
  of: { width: number; height: number };
}

/** A canvas can be so large in every browser. */
const MAX_SIDE = 8192;

/** Whether a chunk of a partial result can be drawn. */
export function isTile(value: unknown): value is PictureTile {
  const tile = value as PictureTile | null;
  const { width, height } = tile?.of ?? {};
  return (
    [tile?.x, tile?.y, tile?.width, tile?.height].every((n) => Number.isFinite(n)) &&
    [width, height].every((side) => Number.isInteger(side) && side! > 0 && side! <= MAX_SIDE) &&
    typeof tile?.png === 'string' &&
    /^[A-Za-z0-9+/]+={0,2}$/.test(tile.png)
  );
}
