import type { FileHandle } from 'node:fs/promises';

/** Reads as many of the bytes as the file has; none for a position that is none. */
export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  if (!(position >= 0 && position <= Number.MAX_SAFE_INTEGER)) return Buffer.alloc(0);
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
}
