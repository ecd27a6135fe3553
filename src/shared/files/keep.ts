import { type FieldError, HeadwayError } from '../errors.js';
import { fileIdsIn } from './reference.js';
import type { FileStore, HeldFiles } from './store.js';

/** As many as the index of jobs notes of one job: see `job-index/scripts/files.lua`. */
const MAX_FILES = 1000;

/**
 * Keeps the files that a job's data name for as long as new ones would be.
 * @returns those that are not there, each with the JSON Pointer (RFC 6901) to it from the data
 * @throws HeadwayError `invalid-data` for data that name too many files
 */
export async function keepFiles(store: FileStore, isHeld: HeldFiles, data: unknown): Promise<FieldError[]> {
  const named = new Map<string, string>();
  for (const { id, pointer } of fileIdsIn(data)) if (!named.has(id)) named.set(id, pointer);
  if (named.size > MAX_FILES) {
    throw new HeadwayError(
      'invalid-data',
      `The data name ${named.size} files; a job can have ${MAX_FILES} at most.`,
    );
  }
  const missing: FieldError[] = [];
  for (const [id, pointer] of named) {
    const there = (await store.stat(id)) ?? ((await store.find(id)) && (await isHeld(id)));
    if (there && (await store.touch(id))) continue;
    missing.push({ pointer, detail: 'there is no such file; it may have expired' });
  }
  return missing;
}
