import { z } from 'zod';
import { JOB_STATES } from '../../shared/jobs/states.js';
import { batchSchema } from '../jobs/batch.js';
import { DEFAULT_LIMIT, MAX_LIMIT, MAX_VALUES } from '../jobs/list-query.js';
import { acceptedSchema, jobSchema } from './answers.js';
import { named, refTo } from './components.js';
import { acceptedExample, activeJob, cancelledJob, completedJob, data, retriedJob } from './examples.js';
import { ANY_START } from './kinds.js';
import { json, type Operation } from './operation.js';
import { type Parameter, several } from './parameters.js';
import { problemSchema } from './problems.js';

const TAG = 'Jobs';

const jobPage = named(
  'JobPage',
  z.object({
    jobs: z.array(jobSchema),
    next: z.string().optional().describe('The `cursor` of the next page; there is none without'),
  }),
);
const batchAnswer = named(
  'BatchAnswer',
  z.object({
    jobs: z
      .array(z.union([acceptedSchema, z.object({ error: problemSchema })]))
      .describe('In the order in which they were sent'),
  }),
);
const batchBody = named(
  'Batch',
  batchSchema.extend({ jobs: batchSchema.shape.jobs.describe('Each as the body of `POST /v1/jobs`') }),
);

const time = { type: 'string', examples: ['2026-11-24T09:00:00Z', '1795497925599'] };
const query = (name: string, description: string, schema: Parameter['schema']): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});
const ofAny = { max: MAX_VALUES };

/** What can be wrong with a start, or with one of many. */
const OF_START = [
  'unknown-job',
  'invalid-data',
  'unknown-file',
  'invalid-idempotency-key',
  'idempotency-conflict',
  'forbidden',
] as const;

/** `/v1/jobs` and `/v1/jobs:batch`: starting jobs, and everything about one but its stream. */
export const jobOperations: Operation[] = [
  {
    method: 'post',
    path: '/v1/jobs',
    id: 'startJob',
    tag: TAG,
    summary: 'Start a job',
    description: 'Responds once the job is stored: from then on, no crash loses it. `data` defaults to `{}`.',
    access: 'caller',
    parameters: ['idempotencyKey'],
    body: { content: json(refTo(ANY_START), { name: 'steps', data, options: { attempts: 3 } }) },
    answers: {
      202: {
        description: 'It is queued. Watch it at `links.events`.',
        headers: ['Location', 'Set-Cookie'],
        content: json(acceptedSchema, acceptedExample),
      },
    },
    errors: [...OF_START],
  },
  {
    method: 'post',
    path: '/v1/jobs:batch',
    id: 'startJobs',
    tag: TAG,
    summary: 'Start up to 1000 jobs at once',
    description: 'Pointers in `errors` begin with `/jobs/<index>`. No cookie is set for each job.',
    access: 'caller',
    parameters: ['idempotencyKey'],
    body: { content: json(batchBody, { jobs: [{ name: 'steps', data }], mode: 'per-item' }) },
    answers: {
      202: {
        description: 'They are queued, or with `per-item` this is what is wrong with one.',
        headers: ['Set-Cookie'],
        content: json(batchAnswer, { jobs: [acceptedExample] }),
      },
    },
    errors: [...OF_START],
  },
  {
    method: 'get',
    path: '/v1/jobs',
    id: 'listJobs',
    tag: TAG,
    summary: "The caller's jobs, newest first",
    description: "Nobody's to a caller of whom nothing is known; everybody's to an admin.",
    access: 'caller',
    parameters: [
      several('state', 'Any one of these states', { type: 'string', enum: [...JOB_STATES] }, ofAny),
      several('name', 'Any one of these kinds', { type: 'string', minLength: 1 }, ofAny),
      several('tag', 'Any one of these tags', { type: 'string', minLength: 1 }, ofAny),
      query('from', 'Created not before: ms since 1970, or RFC 3339 with a zone', time),
      query('to', 'Created before', time),
      query('owner', 'The jobs of this principal: `me` for the caller, any other one for an admin', {
        type: 'string',
      }),
      query('limit', 'Jobs a page', {
        type: 'integer',
        minimum: 1,
        maximum: MAX_LIMIT,
        default: DEFAULT_LIMIT,
      }),
      query('cursor', '`next` of the page before, with the same filter', { type: 'string' }),
    ],
    answers: { 200: { description: 'A page of jobs', content: json(jobPage, { jobs: [activeJob] }) } },
    errors: ['invalid-request', 'sign-in', 'forbidden'],
  },
  {
    method: 'get',
    path: '/v1/jobs/{id}',
    id: 'showJob',
    tag: TAG,
    summary: 'A job as it is now',
    access: 'job',
    parameters: ['jobId'],
    answers: { 200: { description: 'The job', content: json(jobSchema, completedJob) } },
  },
  {
    method: 'get',
    path: '/v1/jobs/{id}/result',
    id: 'showResult',
    tag: TAG,
    summary: 'The result of a job, or a file in it',
    description: 'A result that is itself a file is sent as that.',
    access: 'job',
    parameters: [
      'jobId',
      query('file', 'One of the files in the result: its id, or its key in the result', { type: 'string' }),
    ],
    answers: {
      200: {
        description: 'The result, as the definition of the job says (`<name>.result`), or a file',
        headers: ['ETag', 'Content-Disposition'],
        content: {
          'application/json': { schema: { description: 'Any JSON value' }, example: { steps: 5 } },
          'application/octet-stream': { schema: {} },
        },
      },
      206: {
        description: 'The part of a file that `Range` asks for',
        headers: ['ETag', 'Content-Disposition', 'Content-Range'],
        content: { 'application/octet-stream': { schema: {} } },
      },
      304: {
        description: 'The file is the one that `If-None-Match` names',
        headers: ['ETag', 'Content-Disposition'],
      },
    },
    errors: ['not-finished', 'job-failed', 'job-cancelled', 'precondition-failed', 'range-not-satisfiable'],
  },
  {
    method: 'post',
    path: '/v1/jobs/{id}/cancel',
    id: 'cancelJob',
    tag: TAG,
    summary: 'Cancel a job',
    description: 'No body. Again: the same answer, nothing changes.',
    access: 'job',
    parameters: ['jobId'],
    answers: {
      200: {
        description: 'It is cancelled, and never ran to its end',
        content: json(jobSchema, cancelledJob),
      },
      202: {
        description: 'It runs and was told to stop; it ends as `cancelled` when it has cleaned up',
        content: json(jobSchema, { ...activeJob, progress: null, cancelling: true }),
      },
    },
    errors: ['already-finished'],
  },
  {
    method: 'post',
    path: '/v1/jobs/{id}/retry',
    id: 'retryJob',
    tag: TAG,
    summary: 'Run a failed or cancelled job again',
    description: 'No body. It keeps its id and its stream, which goes on after the end that it had.',
    access: 'job',
    parameters: ['jobId'],
    answers: { 202: { description: 'It is queued again', content: json(jobSchema, retriedJob) } },
    errors: ['not-failed'],
  },
];
