import { z } from 'zod';
import type { EventSpec } from './job-events.js';
import { time } from './parts.js';

/** The events about a stream itself, in the streams of jobs and of other channels. They have no id. */
export const streamEvents = {
  reset: {
    about: 'The state known to the viewer is outdated; the current state follows',
    data: z.object({
      reason: z
        .enum(['trimmed', 'epoch', 'expired', 'rewound', 'snapshot'])
        .describe(
          '`trimmed`: the log no longer contains the events after the last event id. `epoch`: the channel was created anew. `expired`: the channel has expired. `rewound`: Redis lost its last writes. `snapshot`: this stream always starts with the current state',
        ),
      at: time,
    }),
  },
  unauthorized: {
    about: 'The credentials of the viewer are no longer valid; the response ends',
    data: z.object({ reason: z.enum(['expired', 'revoked']) }),
  },
} as const satisfies Record<string, EventSpec>;
