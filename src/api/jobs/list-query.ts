import { z } from 'zod';
import { addressOf } from '../../shared/jobs/queues.js';
import { JOB_STATES } from '../../shared/jobs/states.js';
import { invalid, requireValid } from '../http/invalid.js';
import type { IndexPosition } from './page.js';

/** Maximum and default number of jobs per page, and the maximum number of values of a filter. */
export const MAX_LIMIT = 200;
export const DEFAULT_LIMIT = 50;
export const MAX_VALUES = 20;

/** Schema of a parameter that can be repeated: a job matches if it has any of the values. */
const anyOf = <T extends z.ZodType>(value: T) =>
  z.preprocess(
    (given) => (given === undefined ? [] : [given].flat()),
    z.array(value).max(MAX_VALUES, `must be given at most ${MAX_VALUES} times`),
  );

const time = z
  .string()
  // An unencoded plus sign in a query is decoded as a space.
  .transform((text) => text.replace(' ', '+'))
  .refine(
    (text) => /^\d{1,15}$/.test(text) || z.iso.datetime({ offset: true }).safeParse(text).success,
    'must be ms since 1970, or RFC 3339 with an offset',
  )
  .transform((text) => (/^\d+$/.test(text) ? Number(text) : Date.parse(text)));

const cursor = z
  .string()
  .transform(parseCursor)
  .refine((position) => position !== undefined, 'must be the "next" of the previous page');

/** The query of `GET /v1/jobs`. */
export const listQuerySchema = z.strictObject({
  state: anyOf(z.enum(JOB_STATES)),
  name: anyOf(z.string().min(1).max(200)),
  tag: anyOf(z.string().min(1).max(200)),
  from: time.optional(),
  to: time.optional(),
  owner: z.string().min(1).max(1000).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT),
  cursor: cursor.optional(),
  // The caller's credential: see auth/access.ts.
  token: z.string().optional(),
});

export type ListQuery = z.output<typeof listQuerySchema>;

/**
 * Validates the query.
 * @param maxValues maximum number of names and tags together: each is another set to merge, for each state
 * @throws HeadwayError `invalid-request` for an unknown parameter, an invalid value, or too many values
 */
export async function parseListQuery(query: unknown, maxValues: number): Promise<ListQuery> {
  const parsed = await requireValid(listQuerySchema, query, 'The query');
  const values = new Set(parsed.name).size + new Set(parsed.tag).size;
  if (values > maxValues) {
    const pointer = parsed.tag.length > parsed.name.length ? '/tag' : '/name';
    throw invalid([{ pointer, detail: `the query may have at most ${maxValues} names and tags` }]);
  }
  return parsed;
}

/** Returns the opaque cursor of a position in the list. */
export const formatCursor = ({ createdAt, id }: IndexPosition): string =>
  Buffer.from(`${createdAt} ${id}`).toString('base64url');

/** Parses a cursor from {@link formatCursor}; returns `undefined` for an invalid one. */
export function parseCursor(text: string): IndexPosition | undefined {
  const [, createdAt, id] =
    /^(\d{1,20}(?:\.\d{1,9})?) (.+)$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  return id && addressOf(id) ? { createdAt: Number(createdAt), id } : undefined;
}
