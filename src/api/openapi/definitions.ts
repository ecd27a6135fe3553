import { z } from 'zod';
import { named } from './components.js';
import { json, type Operation } from './operation.js';
import { inPath } from './parameters.js';

const TAG = 'Kinds of job';

const definitions = named(
  'Definitions',
  z.object({
    definitions: z.array(
      z.object({
        name: z.string(),
        description: z.string().optional(),
        input: z
          .record(z.string(), z.unknown())
          .nullable()
          .describe('JSON Schema of the data; `null` if unavailable'),
        limits: z
          .object({
            anonymous: z.record(z.string(), z.unknown()).nullable().optional(),
            signedIn: z.record(z.string(), z.unknown()).nullable().optional(),
          })
          .optional()
          .describe(
            'JSON Schemas that the data must match too: of callers who are not signed in (defaults to `signedIn`), and of signed-in callers who are not admins',
          ),
        events: z
          .record(z.string(), z.record(z.string(), z.unknown()).nullable())
          .optional()
          .describe('JSON Schemas of the values of its custom events, by event name, if it declares them'),
        stages: z.array(z.string()).optional(),
        queue: z.string().describe('The BullMQ queue of this kind'),
        paused: z.boolean(),
        startable: z.boolean().describe('Whether the caller may start jobs of this kind'),
      }),
    ),
  }),
);
const queue = named(
  'Queue',
  z.object({
    queue: z.string(),
    paused: z.boolean(),
    jobs: z.array(z.string()).describe('All kinds of job in this queue'),
  }),
);

function ofKind(verb: 'pause' | 'resume', summary: string): Operation {
  const paused = verb === 'pause';
  return {
    method: 'post',
    path: `/v1/definitions/{name}/${verb}`,
    id: `${verb}Kind`,
    audit: `kind.${verb}`,
    tag: TAG,
    summary,
    description:
      'No request body. While a queue is paused, new jobs are accepted and wait; running jobs continue. Idempotent.',
    access: 'admin',
    parameters: [inPath('name', 'The name of the kind of job', 'steps')],
    answers: {
      200: { description: 'The queue', content: json(queue, { queue: 'steps', paused, jobs: ['steps'] }) },
    },
    errors: ['not-found'],
  };
}

/** `/v1/definitions`: the available kinds of job. */
export const definitionOperations: Operation[] = [
  {
    method: 'get',
    path: '/v1/definitions',
    id: 'listDefinitions',
    tag: TAG,
    summary: 'List the kinds of job',
    access: 'caller',
    answers: {
      200: {
        description: 'All kinds of job, sorted by name',
        content: json(definitions, {
          definitions: [
            {
              name: 'visit',
              input: { type: 'object' },
              events: { arrived: { type: 'object', properties: { city: { type: 'string' } } } },
              queue: 'visit',
              paused: false,
              startable: true,
            },
          ],
        }),
      },
    },
  },
  ofKind('pause', 'Pause the queue of a kind of job'),
  ofKind('resume', 'Resume the queue of a kind of job'),
];
