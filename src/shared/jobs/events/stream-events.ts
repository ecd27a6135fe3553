import { z } from 'zod';
import type { EventSpec } from './job-events.js';
import { time } from './parts.js';

/** What any stream, of a job or of another channel, can say about itself. These have no id. */
export const streamEvents = {
  reset: {
    about: 'What you knew no longer holds; the present state follows',
    data: z.object({
      reason: z
        .enum(['trimmed', 'epoch', 'expired', 'rewound', 'snapshot'])
        .describe(
          '`trimmed`: the log no longer reaches back that far. `epoch`, `expired`: the channel is another, or gone. `rewound`: Redis lost its last writes. `snapshot`: this stream always begins anew',
        ),
      at: time,
    }),
  },
  unauthorized: {
    about: 'What the viewer came with is no longer valid; the response ends',
    data: z.object({ reason: z.enum(['expired', 'revoked']) }),
  },
} as const satisfies Record<string, EventSpec>;
