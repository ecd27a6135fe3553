/**
 * The text in a file, whatever wrote it: a byte order mark at its beginning says in which encoding it is and is no part of
 * the text. Without one it is UTF-8.
 * @throws TypeError for bytes that are no text in that encoding
 */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder(utf16Mark(bytes) ?? 'utf-8', { fatal: true }).decode(bytes);
}

/** The kind of UTF-16 that a byte order mark at the beginning says; `undefined` for UTF-8 and where there is none. */
export function utf16Mark([first, second]: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  return undefined;
}
