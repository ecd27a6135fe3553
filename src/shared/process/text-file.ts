/**
 * Decodes the content of a text file. A byte order mark selects the encoding and is removed; without one, the text is UTF-8.
 * @throws TypeError if the bytes are not valid in that encoding
 */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder(utf16Mark(bytes) ?? 'utf-8', { fatal: true }).decode(bytes);
}

/** Returns the UTF-16 encoding that a leading byte order mark indicates; `undefined` for UTF-8 or without a mark. */
export function utf16Mark([first, second]: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  return undefined;
}
