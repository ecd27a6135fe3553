import { z } from 'zod';
import { TERMINAL_STATES } from '../states.js';
import { head, jobErrorSchema, time } from './parts.js';
import { progressSchema } from './progress.js';

/** An event on the stream of a job. */
export interface EventSpec {
  /** When it comes, in one line. */
  about: string;
  /** Its data, after JSON. */
  data: z.ZodType;
  /** Only the newest one matters, and is told to a newcomer. Without: each is kept, in order. */
  state?: true;
  /** It is the last one, and the response ends. */
  end?: true;
}

/** Lifecycle events name the job's kind; it is not known any more of a job that a tool has removed. */
const lifecycle = { ...head, name: z.string().optional().describe('The kind of job') };
const attempts = z.number().int().min(1).describe('Runs at most');

const count = z.number().int().min(1).optional();

/** Every event that the stream of a job can have under a name of ours, in about the order in which they come. */
export const jobEvents = {
  waiting: {
    about: 'It is queued, or queued again (then `attempt` is more than 0)',
    data: z.object(lifecycle),
  },
  delayed: {
    about: 'It will be queued later, or at another time than was said before',
    data: z.object({ ...lifecycle, until: time.describe('When it is due, ms since 1970') }),
  },
  active: {
    about: 'An attempt has begun',
    data: z.object({ ...lifecycle, attempts }),
  },
  progress: { about: 'The bar moves', data: progressSchema, state: true },
  queue: {
    about:
      'The queue of a job that has yet to begin was paused or resumed, or lost its last worker or has one again; or the job was asked to stop',
    data: z.object({
      ...head,
      paused: z.boolean(),
      noWorker: z.boolean().optional(),
      cancelling: z.literal(true).optional().describe('It was asked to stop, and has not ended yet'),
    }),
    state: true,
  },
  log: {
    about: 'The job says something',
    data: z.object({
      ...head,
      level: z.enum(['debug', 'info', 'warn', 'error']),
      message: z.string(),
      fields: z.unknown().optional().describe('What the line was given beside its message'),
      missing: z
        .object({ log: count, event: count, partial: count, other: count })
        .optional()
        .describe('How many reports of the job are missing at this place, by kind; `other`: lost by Redis'),
    }),
  },
  partial: {
    about: 'Pieces of the result, before the end; either text or a list of other values',
    data: z.object({
      ...head,
      index: z.number().int().min(0).describe('Number of the first piece in the attempt, from 0'),
      text: z.string().optional().describe('Pieces that are text, joined'),
      chunks: z.array(z.unknown()).optional().describe('Pieces that are anything else'),
    }),
  },
  child: {
    about: 'A child of the job failed or was cancelled',
    data: z.object({
      ...head,
      childId: z.string(),
      childName: z.string().describe('The kind of job that it is'),
      state: z.enum(TERMINAL_STATES).exclude(['completed']),
      error: jobErrorSchema,
      last: z.literal(true).optional().describe('No more are told in this attempt'),
    }),
  },
  retrying: {
    about: 'An attempt has failed, another follows',
    data: z.object({
      ...lifecycle,
      attempts,
      error: jobErrorSchema,
      nextAttemptAt: time.optional().describe('When, ms since 1970'),
    }),
  },
  stalled: {
    about: 'The worker of this attempt was lost, another attempt follows',
    data: z.object(lifecycle),
  },
  completed: {
    about: 'It has completed; the last event',
    data: z.object({ ...lifecycle, result: z.unknown().describe('As the definition of the job says') }),
    end: true,
  },
  failed: {
    about: 'It has failed for good; the last event',
    data: z.object({ ...lifecycle, error: jobErrorSchema }),
    end: true,
  },
  cancelled: {
    about: 'It was cancelled; the last event',
    data: z.object({
      ...lifecycle,
      reason: z.enum(['requested', 'removed']).describe('`removed`: by another tool, from the queue'),
    }),
    end: true,
  },
} as const satisfies Record<string, EventSpec>;

/** Any event that a job sends itself (`ctx.emit`), under a name of its own. */
export const customEvent = {
  about: "One of the job's own events, under its own name",
  data: z.object({ ...head, data: z.unknown().describe('What the job gave') }),
} as const satisfies EventSpec;

export type JobEventName = keyof typeof jobEvents;
