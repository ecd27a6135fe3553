import type { Options } from 'csv-parse/sync';
import { afterLineEnd, isLineEnd, lineEnd } from './line-ends.js';

/** The part of the text to read at a time. */
export interface Piece {
  text: Buffer;
  /** The text with each escaped quote `\"` replaced with `""`. */
  doubled: Buffer;
  stop: number;
  options: Options;
  suspicious: boolean;
}

/** Returns the next line that is not empty, without its line end. */
export function lineAt({ text, doubled, stop }: Piece, from: number) {
  let start = from;
  while (start < stop && isLineEnd(text[start])) start++;
  const end = Math.min(lineEnd(text, start), stop);
  const source = text.toString('utf8', start, end);
  const line = { source, doubled: doubled === text ? source : doubled.toString('utf8', start, end) };
  return { text, start, end: Math.min(afterLineEnd(text, end), stop), line };
}
