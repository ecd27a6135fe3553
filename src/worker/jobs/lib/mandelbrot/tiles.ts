/** A part of a picture, in pixels from its upper left corner. */
export interface Tile {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Cuts a picture into squares, row by row; those at the right and the lower edge may be smaller. */
export function tilesOf(width: number, height: number, side: number): Tile[] {
  const tiles: Tile[] = [];
  for (let y = 0; y < height; y += side) {
    for (let x = 0; x < width; x += side) {
      tiles.push({ x, y, width: Math.min(side, width - x), height: Math.min(side, height - y) });
    }
  }
  return tiles;
}
