import { z } from 'zod';

/** An id of a file: a capability (160 random bits), so whoever has it may use the file. */
const FILE_ID = /^file_[A-Za-z0-9_-]{27}$/;

/** Whether a value has the form of a file's id. Nothing else ever becomes part of a path. */
export const isFileId = (value: unknown): value is string => typeof value === 'string' && FILE_ID.test(value);

/** Schema of a field of a job's data that names an uploaded file. */
export const fileId = () =>
  z
    .string()
    .regex(FILE_ID, 'must be the id of an uploaded file (POST /v1/files)')
    .meta({ format: 'headway-file', description: 'Id of an uploaded file' });

/** Schema of a file in a job's result: what `ctx.files.create` gives. */
export const resultFile = z.object({
  id: z.string().regex(FILE_ID),
  name: z.string(),
  size: z.number().int(),
  sha256: z.string(),
  href: z.string(),
});

/** Deeper than any body that the API takes. */
const MAX_DEPTH = 1000;

/** Finds every file id in plain data, with the JSON Pointer (RFC 6901) to each. */
export function fileIdsIn(data: unknown): Array<{ id: string; pointer: string }> {
  const found: Array<{ id: string; pointer: string }> = [];
  // A job's result may contain itself.
  const seen = new Set<unknown>();
  // Newest first, so that what is found comes in the order of the data.
  const open = [{ value: data, pointer: '', depth: 0 }];
  for (let place = open.pop(); place; place = open.pop()) {
    const { value, pointer, depth } = place;
    if (isFileId(value)) found.push({ id: value, pointer });
    else if (value !== null && typeof value === 'object' && depth < MAX_DEPTH && !seen.has(value)) {
      seen.add(value);
      const inner = Object.entries(value).map(([key, held]) => ({
        value: held as unknown,
        pointer: `${pointer}/${key}`,
        depth: depth + 1,
      }));
      for (const next of inner.reverse()) open.push(next);
    }
  }
  return found;
}
