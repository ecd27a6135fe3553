import { z } from 'zod';
import { addressOf } from '../../shared/jobs/queues.js';
import { JOB_STATES } from '../../shared/jobs/states.js';
import { requireValid } from '../http/invalid.js';
import type { IndexPosition } from './page.js';

/** Most jobs a page, how many unless asked, and how often a filter may be given. */
export const MAX_LIMIT = 200;
export const DEFAULT_LIMIT = 50;
export const MAX_VALUES = 20;

/** A parameter that may be given several times: any one of its values will do. */
const anyOf = <T extends z.ZodType>(value: T) =>
  z.preprocess(
    (given) => (given === undefined ? [] : [given].flat()),
    z.array(value).max(MAX_VALUES, `may be given ${MAX_VALUES} times at most`),
  );

const time = z
  .string()
  // A plus sign that was not escaped in the query.
  .transform((text) => text.replace(' ', '+'))
  .refine(
    (text) => /^\d{1,15}$/.test(text) || z.iso.datetime({ offset: true }).safeParse(text).success,
    'must be ms since 1970, or a time as in RFC 3339, with a zone',
  )
  .transform((text) => (/^\d+$/.test(text) ? Number(text) : Date.parse(text)));

const cursor = z
  .string()
  .transform(parseCursor)
  .refine((position) => position !== undefined, 'is not a cursor: take "next" from the page before');

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
  // Who is calling: see access.ts.
  token: z.string().optional(),
});

export type ListQuery = z.output<typeof listQuerySchema>;

/** @throws HeadwayError `invalid-request` for an unknown parameter or a wrong value */
export const parseListQuery = (query: unknown): Promise<ListQuery> =>
  requireValid(listQuerySchema, query, 'The query');

/** A place in the list as clients get it: nothing they should read. */
export const formatCursor = ({ createdAt, id }: IndexPosition): string =>
  Buffer.from(`${createdAt} ${id}`).toString('base64url');

/** The opposite of {@link formatCursor}; `undefined` for what is none. */
export function parseCursor(text: string): IndexPosition | undefined {
  const [, createdAt, id] =
    /^(\d{1,20}(?:\.\d{1,9})?) (.+)$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  return id && addressOf(id) ? { createdAt: Number(createdAt), id } : undefined;
}
