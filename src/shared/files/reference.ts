import { z } from 'zod';

/** The id of a file. It is a capability of 160 random bits: anyone who has it may use the file. */
const FILE_ID = /^file_[A-Za-z0-9_-]{27}$/;

/** Returns whether a value has the form of a file's id. Nothing else is ever used in a path. */
export const isFileId = (value: unknown): value is string => typeof value === 'string' && FILE_ID.test(value);

/** Returns the schema of a field in a job's data that refers to an uploaded file. */
export const fileId = () =>
  z
    .string()
    .regex(FILE_ID, 'must be the id of an uploaded file (POST /v1/files)')
    .meta({ format: 'headway-file', description: 'Id of an uploaded file' });

/** The schema of a file in a job's result, as `ctx.files.create` returns it. */
export const resultFile = z.object({
  id: z.string().regex(FILE_ID),
  name: z.string(),
  size: z.number().int(),
  sha256: z.string(),
  href: z.string(),
});

/** Deeper than any body that the API accepts. */
const MAX_DEPTH = 1000;

/** Returns all file ids in plain data, each with its JSON Pointer (RFC 6901). */
export function fileIdsIn(data: unknown): Array<{ id: string; pointer: string }> {
  const found: Array<{ id: string; pointer: string }> = [];
  // A job's result may be circular.
  const seen = new Set<unknown>();
  // A stack. Values are pushed in reverse, so that ids are found in the order of the data.
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
