import { type FileHandle, open } from 'node:fs/promises';

/** Reads the first bytes of a file: `length` of them, or all if the file is shorter. */
export async function firstBytes(path: string, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    return await readAt(file, 0, length);
  } finally {
    await file.close();
  }
}

/** Reads up to `length` bytes at a position; none if the position is outside the file. */
export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  if (!(position >= 0 && position <= Number.MAX_SAFE_INTEGER)) return Buffer.alloc(0);
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
}
