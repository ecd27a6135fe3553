const [LF, CR] = [10, 13];

export const isLineEnd = (byte: number | undefined): boolean => byte === LF || byte === CR;

/** Where the line ends that a place is in: at its line end, or at the end of the text. */
export function lineEnd(text: Buffer, from: number): number {
  const lf = text.indexOf(LF, from);
  const line = lf === -1 ? text : text.subarray(0, lf);
  const cr = line.indexOf(CR, from);
  return cr === -1 ? line.length : cr;
}

/** The place after a line end. */
export const afterLineEnd = (text: Buffer, at: number): number =>
  Math.min(text[at] === CR && text[at + 1] === LF ? at + 2 : at + 1, text.length);

/** Where the last line begins, which may not be whole. A CR at the very end may be half of a line end. */
export function lastLineStart(text: Buffer): number {
  const lf = text.lastIndexOf(LF);
  const cr = text.lastIndexOf(CR, text.length - 2);
  return text.length < 2 ? lf + 1 : Math.max(lf, cr) + 1;
}

/** How many lines end between two places, CR LF being one end. */
export function countLines(text: Buffer, from: number, to: number): number {
  let lines = 0;
  for (let i = from; i < to; i++) {
    const byte = text[i];
    if (byte === LF || (byte === CR && text[i + 1] !== LF)) lines++;
  }
  return lines;
}
