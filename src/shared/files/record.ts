import { z } from 'zod';
import type { StoredFile } from './contract.js';

/** The name of the record beside the content of a file, in a folder and in a bucket. */
export const RECORD = 'file.json';
/** The name of the content. */
export const CONTENT = 'content';

/** What is stored about a file, besides its content and its last use. */
export interface FileRecord {
  file: StoredFile;
  /** The id of the job that made it. */
  madeBy: string | undefined;
}

const recordSchema = z.object({
  id: z.string(),
  name: z.string(),
  size: z.number().int().min(0),
  sha256: z.string(),
  madeBy: z.string().optional(),
});

export const writeRecord = (file: StoredFile, madeBy: string | undefined): string =>
  JSON.stringify({ ...file, madeBy });

/** Parses a record. @returns `undefined` for a text that is not the record of a file, such as one that was cut off */
export function parseRecord(text: string): FileRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = recordSchema.safeParse(value);
  if (!parsed.success) return undefined;
  const { madeBy, ...file } = parsed.data;
  return { file, madeBy };
}
