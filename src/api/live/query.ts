import { z } from 'zod';
import { RANGES, type Range } from '../../shared/dashboard/hours.js';
import { requireValid } from '../http/invalid.js';

/** Maximum number of active jobs that a viewer can ask for. */
export const MAX_ROWS = 200;
const MAX_NAMES = 20;

/** The parameters of `GET /v1/dashboard/events`. */
const querySchema = z.strictObject({
  /** Only these kinds of job. */
  name: z.preprocess(
    (given) => (given === undefined ? [] : [given].flat()),
    z.array(z.string().min(1).max(200)).max(MAX_NAMES, `must be given at most ${MAX_NAMES} times`),
  ),
  /** Only jobs with this text in their id, name, title, stage, message or error. */
  q: z.string().max(200).default(''),
  /** Only jobs that this process runs. */
  process: z.string().max(100).default(''),
  sort: z.enum(['oldest', 'newest']).default('oldest'),
  /** The part of the list of active jobs that is visible. */
  from: z.coerce.number().int().min(0).max(10_000_000).default(0),
  rows: z.coerce.number().int().min(0).max(MAX_ROWS).default(50),
  // The caller's credential: see auth/access.ts.
  token: z.string().optional(),
});

export type DashboardQuery = Omit<z.output<typeof querySchema>, 'token'>;

/** @throws HeadwayError `invalid-request` for an unknown parameter or a wrong value */
export async function parseDashboardQuery(query: unknown): Promise<DashboardQuery> {
  const { token: _token, ...parsed } = await requireValid(querySchema, query, 'The query');
  return { ...parsed, q: parsed.q.trim().toLowerCase() };
}

/** The parameters of `GET /v1/dashboard/history`. */
const historySchema = z.strictObject({
  range: z.enum(Object.keys(RANGES) as [Range, ...Range[]]).default('24h'),
  /** Only this kind of job; empty for all. */
  name: z.string().max(200).default(''),
  token: z.string().optional(),
});

/** @throws HeadwayError `invalid-request` for an unknown parameter or a wrong value */
export async function parseHistoryQuery(query: unknown): Promise<{ range: Range; name: string }> {
  const { range, name } = await requireValid(historySchema, query, 'The query');
  return { range, name };
}
