const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** What a limit counts. A rate has a window, in ms; without one, the limit is on how much there is at a time. */
interface LimitKind {
  /** The noun in messages: "Too many requests". */
  of: string;
  windowMs?: number;
  /** Whether units are given back, so that a refused caller may be allowed before its time has come. */
  givenBack?: boolean;
}

/** Every limit by its name: the `limit` of a refusal, the policy in `RateLimit-Policy`, and the label of a metric. */
export const LIMITS = {
  requests: { of: 'requests', windowMs: MINUTE_MS },
  jobs: { of: 'unfinished jobs' },
  'active-jobs': { of: 'active jobs' },
  schedules: { of: 'schedules' },
  streams: { of: 'open streams' },
  'stream-opens': { of: 'streams opened', windowMs: MINUTE_MS },
  'dashboard-opens': { of: 'dashboards and overviews opened', windowMs: MINUTE_MS },
  dashboards: { of: 'open dashboards and overviews' },
  uploads: { of: 'uploads at once' },
  'upload-bytes': { of: 'bytes of uploads', windowMs: DAY_MS, givenBack: true },
  'sign-ins': { of: 'failed sign-ins', windowMs: 15 * MINUTE_MS },
  'bad-tokens': { of: 'requests with an invalid token', windowMs: MINUTE_MS },
} as const satisfies Record<string, LimitKind>;

export type LimitName = keyof typeof LIMITS;

/** The limits on how much happens within a window of time. */
export type RateName = {
  [Name in LimitName]: (typeof LIMITS)[Name] extends { windowMs: number } ? Name : never;
}[LimitName];

/** The limits that differ between callers without a token, users and API keys. An API key may have its own. */
export const CALLER_LIMITS = [
  'requests',
  'jobs',
  'active-jobs',
  'schedules',
  'streams',
  'stream-opens',
  'dashboards',
  'uploads',
  'upload-bytes',
] as const;
export type CallerLimit = (typeof CALLER_LIMITS)[number];

/** How often in a minute a caller may open as many streams as it may have open, if no setting says otherwise. */
export const OPENS_PER_STREAM = 3;
