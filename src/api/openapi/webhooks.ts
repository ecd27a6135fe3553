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
        note: z.string().optional().describe('What was left out because the body would be too large'),
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

/** The requests that the service sends for jobs with the option `webhook` (Standard Webhooks 1.0.0). */
export const webhooks = {
  jobEnded: {
    post: {
      operationId: 'jobEnded',
      tags: ['Webhooks'],
      summary: 'A job has ended',
      description:
        'Sent at least once to the `webhook` of a job. A status of 200 to 299 means success, 410 stops the delivery, and any other status is retried.',
      security: [],
      parameters: [
        header('webhook-id', 'The same for every attempt of a delivery'),
        header('webhook-timestamp', 'The time of this attempt, in seconds since 1970'),
        header('webhook-signature', '`v1,` followed by the base64 of the HMAC-SHA256 of `id.timestamp.body`'),
      ],
      requestBody: {
        required: true,
        content: json(message, {
          type: 'job.completed',
          timestamp: '2026-11-24T13:20:19.989Z',
          data: completedJob,
        }),
      },
      responses: { '2XX': { description: 'The message was accepted' } },
    },
  },
};
