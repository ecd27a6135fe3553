import { type FieldError, HeadwayError } from '../errors.js';
import type { FileStore } from './contract.js';
import { fileIdsIn } from './reference.js';
import type { HeldFiles } from './sweep.js';

/** Maximum number of files per job, the same as in `job-index/scripts/files.lua`. */
const MAX_FILES = 1000;

/**
 * Renews the lifetime of all files that a job's data refer to.
 * @returns an error for each missing file, with the JSON Pointer (RFC 6901) to its id in the data
 * @throws HeadwayError `invalid-data` if the data refer to too many files
 */
export async function keepFiles(store: FileStore, isHeld: HeldFiles, data: unknown): Promise<FieldError[]> {
  const named = new Map<string, string>();
  for (const { id, pointer } of fileIdsIn(data)) if (!named.has(id)) named.set(id, pointer);
  if (named.size > MAX_FILES) {
    throw new HeadwayError(
      'invalid-data',
      `The data refer to ${named.size} files; a job can have at most ${MAX_FILES}.`,
    );
  }
  const missing: FieldError[] = [];
  for (const [id, pointer] of named) {
    const exists = (await store.stat(id)) ?? ((await store.find(id)) && (await isHeld(id)));
    if (exists && (await store.touch(id))) continue;
    missing.push({ pointer, detail: 'file not found; it may have expired' });
  }
  return missing;
}
