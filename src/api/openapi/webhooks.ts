import { z } from 'zod';
import { TERMINAL_STATES } from '../../shared/jobs/states.js';
import { jobSchema } from './answers.js';
import { named } from './components.js';
import { completedJob } from './examples.js';
import { json } from './operation.js';

const message = named(
  'WebhookMessage',
  z.object({
    type: z.enum(TERMINAL_STATES.map((event) => `job.${event}` as const)),
    timestamp: z.string().describe('When the job ended (RFC 3339)'),
    data: jobSchema
      .omit({ webhook: true })
      .partial({ attempts: true })
      .extend({
        note: z.string().optional().describe('What was left out, where the body would be too large'),
      }),
  }),
);

const header = (name: string, description: string) => ({
  name,
  in: 'header',
  required: true,
  description,
  schema: { type: 'string' },
});

/** What the service calls, for jobs with the option `webhook`: Standard Webhooks 1.0.0. */
export const webhooks = {
  jobEnded: {
    post: {
      operationId: 'jobEnded',
      tags: ['Webhooks'],
      summary: 'A job has ended',
      description:
        'Sent at least once to the `webhook` of a job. Any status of 200 to 299 is success, 410 ends it, anything else is tried again.',
      security: [],
      parameters: [
        header('webhook-id', 'The same at every attempt'),
        header('webhook-timestamp', 'When this attempt was made, in seconds since 1970'),
        header(
          'webhook-signature',
          '`v1,` and the base64 of the HMAC-SHA256 of id, full stop, timestamp, full stop, body',
        ),
      ],
      requestBody: {
        required: true,
        content: json(message, {
          type: 'job.completed',
          timestamp: '2026-11-24T13:20:19.989Z',
          data: completedJob,
        }),
      },
      responses: { '2XX': { description: 'It was taken' } },
    },
  },
};
