import { z } from 'zod';
import { requireValid } from '../http/invalid.js';

/** The most rows of active jobs that a viewer can have in its frames. */
export const MAX_ROWS = 200;
const MAX_NAMES = 20;

/** What a viewer of the dashboard wants to see: `GET /v1/dashboard/events?…`. */
const querySchema = z.strictObject({
  /** Only these kinds. */
  name: z.preprocess(
    (given) => (given === undefined ? [] : [given].flat()),
    z.array(z.string().min(1).max(200)).max(MAX_NAMES, `may be given ${MAX_NAMES} times at most`),
  ),
  /** Only what has these words in its id, name, stage, message or error. */
  q: z.string().max(200).default(''),
  /** Only what this process runs. */
  process: z.string().max(100).default(''),
  sort: z.enum(['oldest', 'newest']).default('oldest'),
  /** The rows of active jobs that are on the screen. */
  from: z.coerce.number().int().min(0).max(10_000_000).default(0),
  rows: z.coerce.number().int().min(0).max(MAX_ROWS).default(50),
  // Who is calling: see access.ts.
  token: z.string().optional(),
});

export type DashboardQuery = Omit<z.output<typeof querySchema>, 'token'>;

/** @throws HeadwayError `invalid-request` for an unknown parameter or a wrong value */
export async function parseDashboardQuery(query: unknown): Promise<DashboardQuery> {
  const { token: _token, ...wanted } = await requireValid(querySchema, query, 'The query');
  return { ...wanted, q: wanted.q.trim().toLowerCase() };
}
