/** A rectangle of an image, in pixels from the upper left corner. */
export interface Tile {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Divides an image into squares, row by row. Tiles at the right and lower edges may be smaller. */
export function tilesOf(width: number, height: number, side: number): Tile[] {
  const tiles: Tile[] = [];
  for (let y = 0; y < height; y += side) {
    for (let x = 0; x < width; x += side) {
      tiles.push({ x, y, width: Math.min(side, width - x), height: Math.min(side, height - y) });
    }
  }
  return tiles;
}
