/**
 * The text in a file, whatever wrote it: a byte order mark at its beginning says in which encoding it is and is no part of
 * the text. Without one it is UTF-8.
 * @throws TypeError for bytes that are no text in that encoding
 */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
}

function encodingOf([first, second]: Uint8Array): string {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  return 'utf-8';
}
