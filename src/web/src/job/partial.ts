/** A part of a picture: where it goes, as PNG in base64, and how large the whole picture is. */
export interface PictureTile {
  x: number;
  y: number;
  width: number;
  height: number;
  png: string;
  of: { width: number; height: number };
}

/** What an attempt has given of its result before the end. */
export interface PartialResult {
  attempt: number;
  text: string;
  tiles: PictureTile[];
}

/** A `partial` event's data. */
export interface PartialData {
  attempt: number;
  text?: string;
  chunks?: unknown[];
}

/** The browser keeps this much text. */
const MAX_TEXT = 100_000;
/** A canvas can be so large in every browser. */
const MAX_SIDE = 8192;

export const noPartial = (attempt = 0): PartialResult => ({ attempt, text: '', tiles: [] });

/** Adds what an event brought; a new attempt begins anew. */
export function addPartial(before: PartialResult, { attempt, text, chunks }: PartialData): PartialResult {
  if (attempt < before.attempt) return before;
  const base = attempt > before.attempt ? noPartial(attempt) : before;
  if (text !== undefined) return { ...base, text: (base.text + text).slice(-MAX_TEXT) };
  const tiles = (chunks ?? []).filter(isTile);
  return tiles.length > 0 ? { ...base, tiles: [...base.tiles, ...tiles] } : base;
}

function isTile(value: unknown): value is PictureTile {
  const tile = value as PictureTile | null;
  const { width, height } = tile?.of ?? {};
  return (
    [tile?.x, tile?.y, tile?.width, tile?.height].every((n) => Number.isFinite(n)) &&
    [width, height].every((side) => Number.isInteger(side) && side! > 0 && side! <= MAX_SIDE) &&
    typeof tile?.png === 'string' &&
    /^[A-Za-z0-9+/]+={0,2}$/.test(tile.png)
  );
}
