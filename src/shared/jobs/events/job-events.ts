import { z } from 'zod';
import { TERMINAL_STATES } from '../states.js';
import { head, jobErrorSchema, time } from './parts.js';
import { progressSchema } from './progress.js';

/** The specification of an event. */
export interface EventSpec {
  /** When the event occurs, in one line. */
  about: string;
  /** The schema of its data, parsed from JSON. */
  data: z.ZodType;
  /** A state event: only the newest one is kept and sent to new viewers. All other events are kept in order. */
  state?: true;
  /** A terminal event: it is the last one, and the response ends. */
  end?: true;
}

/** The fields of lifecycle events. The kind of job is unknown for a job that another tool has removed. */
const lifecycle = { ...head, name: z.string().optional().describe('The kind of job') };
const attempts = z.number().int().min(1).describe('The maximum number of runs');

const count = z.number().int().min(1).optional();

/** The position of a waiting job, as far as it is known. */
export const queuePosition = {
  position: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe(
      'How many jobs of its queue are taken before it, 0 if it is the next. Absent if that is unknown',
    ),
  orMore: z.literal(true).optional().describe('`position` is the least number'),
  beginsInMs: z.number().min(0).optional().describe('The estimated time until it begins, in ms'),
};

/** The events of a job's stream with names that Headway defines, in about the order in which they occur. */
export const jobEvents = {
  waiting: {
    about: 'The job was queued, or queued again (`attempt` is more than 0)',
    data: z.object(lifecycle),
  },
  delayed: {
    about: 'The job will be queued later, or its due time has changed',
    data: z.object({ ...lifecycle, until: time.describe('The due time, ms since 1970') }),
  },
  active: {
    about: 'An attempt has started',
    data: z.object({ ...lifecycle, attempts }),
  },
  progress: { about: 'The progress has changed', data: progressSchema, state: true },
  queue: {
    about:
      'The position of a waiting job has changed; its queue was paused or resumed, or lost or regained its workers; or the job was asked to stop',
    data: z.object({
      ...head,
      paused: z.boolean(),
      noWorker: z.boolean().optional(),
      cancelling: z.literal(true).optional().describe('The job was asked to stop and has not ended yet'),
      ...queuePosition,
    }),
    state: true,
  },
  log: {
    about: 'The job has logged a line',
    data: z.object({
      ...head,
      level: z.enum(['debug', 'info', 'warn', 'error']),
      message: z.string(),
      fields: z.unknown().optional().describe('The fields of the line besides its message'),
      missing: z
        .object({ log: count, event: count, partial: count, other: count })
        .optional()
        .describe('The number of reports that are missing at this position, by kind; `other`: lost by Redis'),
    }),
  },
  partial: {
    about: 'Pieces of the result before the end, either text or a list of other values',
    data: z.object({
      ...head,
      index: z.number().int().min(0).describe('The number of the first piece within the attempt, from 0'),
      text: z.string().optional().describe('Pieces of text, joined'),
      chunks: z.array(z.unknown()).optional().describe('Pieces of any other type'),
    }),
  },
  child: {
    about: 'A child of the job failed or was cancelled',
    data: z.object({
      ...head,
      childId: z.string(),
      childName: z.string().describe('The kind of job of the child'),
      state: z.enum(TERMINAL_STATES).exclude(['completed']),
      error: jobErrorSchema,
      last: z.literal(true).optional().describe('No more failed children are reported in this attempt'),
    }),
  },
  retrying: {
    about: 'An attempt has failed and another one follows',
    data: z.object({
      ...lifecycle,
      attempts,
      error: jobErrorSchema,
      nextAttemptAt: time.optional().describe('The due time of the next attempt, ms since 1970'),
    }),
  },
  stalled: {
    about: 'The worker of this attempt was lost and another attempt follows',
    data: z.object(lifecycle),
  },
  completed: {
    about: 'The job has completed; the last event',
    data: z.object({
      ...lifecycle,
      result: z.unknown().describe('The result, as defined by the kind of job'),
    }),
    end: true,
  },
  failed: {
    about: 'The job has failed for good; the last event',
    data: z.object({ ...lifecycle, error: jobErrorSchema }),
    end: true,
  },
  cancelled: {
    about: 'The job was cancelled; the last event',
    data: z.object({
      ...lifecycle,
      reason: z
        .enum(['requested', 'removed'])
        .describe('`removed`: another tool removed the job from its queue, or Redis has lost it'),
    }),
    end: true,
  },
} as const satisfies Record<string, EventSpec>;

/** An event that a job sends with `ctx.emit`, under a name that the job chooses. */
export const customEvent = {
  about: 'A custom event of the job, under the name that the job chose',
  data: z.object({ ...head, data: z.unknown().describe('The value that the job sent') }),
} as const satisfies EventSpec;

export type JobEventName = keyof typeof jobEvents;
