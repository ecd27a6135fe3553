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
          .describe('The JSON Schema of its data; `null` where there is none'),
        stages: z.array(z.string()).optional(),
        queue: z.string().describe('The BullMQ queue that it is in'),
        paused: z.boolean(),
      }),
    ),
  }),
);
const queue = named(
  'Queue',
  z.object({
    queue: z.string(),
    paused: z.boolean(),
    jobs: z.array(z.string()).describe('All kinds of job that are in it'),
  }),
);

function ofKind(verb: 'pause' | 'resume', summary: string): Operation {
  const paused = verb === 'pause';
  return {
    method: 'post',
    path: `/v1/definitions/{name}/${verb}`,
    id: `${verb}Kind`,
    tag: TAG,
    summary,
    description:
      'No body. While a queue is paused, jobs are accepted and wait; those that run go on. Again: the same answer.',
    access: 'admin',
    parameters: [inPath('name', 'The name of a kind of job', 'steps')],
    answers: {
      200: { description: 'Its queue', content: json(queue, { queue: 'steps', paused, jobs: ['steps'] }) },
    },
    errors: ['not-found'],
  };
}

/** `/v1/definitions`: the kinds of job that there are. */
export const definitionOperations: Operation[] = [
  {
    method: 'get',
    path: '/v1/definitions',
    id: 'listDefinitions',
    tag: TAG,
    summary: 'The kinds of job that can be started',
    access: 'open',
    answers: {
      200: {
        description: 'All of them, by name',
        content: json(definitions, {
          definitions: [{ name: 'steps', input: { type: 'object' }, queue: 'steps', paused: false }],
        }),
      },
    },
    errors: ['unavailable', 'internal'],
  },
  ofKind('pause', 'Pause the queue of a kind'),
  ofKind('resume', 'Resume the queue of a kind'),
];
