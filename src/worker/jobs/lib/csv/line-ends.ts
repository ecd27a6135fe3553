const [LF, CR] = [10, 13];

export const isLineEnd = (byte: number | undefined): boolean => byte === LF || byte === CR;

/** Returns the position of the next line end at or after `from`, or the end of the text. */
export function lineEnd(text: Buffer, from: number): number {
  const lf = text.indexOf(LF, from);
  const line = lf === -1 ? text : text.subarray(0, lf);
  const cr = line.indexOf(CR, from);
  return cr === -1 ? line.length : cr;
}

/** Returns the position after the line end at `at`. */
export const afterLineEnd = (text: Buffer, at: number): number =>
  Math.min(text[at] === CR && text[at + 1] === LF ? at + 2 : at + 1, text.length);

/** Returns the start of the last line, which may be incomplete. A CR at the very end may be half of a CR LF. */
export function lastLineStart(text: Buffer): number {
  const lf = text.lastIndexOf(LF);
  const cr = text.lastIndexOf(CR, text.length - 2);
  return text.length < 2 ? lf + 1 : Math.max(lf, cr) + 1;
}

/** Counts the line ends between two positions. CR LF counts once. */
export function countLines(text: Buffer, from: number, to: number): number {
  let lines = 0;
  for (let i = from; i < to; i++) {
    const byte = text[i];
    if (byte === LF || (byte === CR && text[i + 1] !== LF)) lines++;
  }
  return lines;
}
