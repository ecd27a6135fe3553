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
    next: z.string().optional().describe('Cursor of the next page. Absent on the last page'),
  }),
);
const batchAnswer = named(
  'BatchAnswer',
  z.object({
    jobs: z
      .array(z.union([acceptedSchema, z.object({ error: problemSchema })]))
      .describe('In the order of the request'),
  }),
);
const batchBody = named(
  'Batch',
  batchSchema.extend({ jobs: batchSchema.shape.jobs.describe('Each like the body of `POST /v1/jobs`') }),
);

const time = { type: 'string', examples: ['2026-11-24T09:00:00Z', '1795497925599'] };
const query = (name: string, description: string, schema: Parameter['schema']): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});
const ofAny = { max: MAX_VALUES };

/** The error codes of a request for a job. */
const OF_START = [
  'unknown-job',
  'invalid-data',
  'limit-exceeded',
  'unknown-file',
  'invalid-idempotency-key',
  'idempotency-conflict',
  'forbidden',
  'quota-exceeded',
] as const;

/** `/v1/jobs` and `/v1/jobs:batch`: everything about jobs except their streams. */
export const jobOperations: Operation[] = [
  {
    method: 'post',
    path: '/v1/jobs',
    id: 'startJob',
    audit: false,
    startsWork: true,
    tag: TAG,
    summary: 'Start a job',
    description: 'Responds once the job is stored: from then on, no crash loses it. `data` defaults to `{}`.',
    access: 'caller',
    parameters: ['idempotencyKey'],
    body: { content: json(refTo(ANY_START), { name: 'steps', data, options: { attempts: 3 } }) },
    answers: {
      202: {
        description: 'The job is queued. Watch it at `links.events`.',
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
    audit: false,
    startsWork: true,
    tag: TAG,
    summary: 'Start up to 1000 jobs',
    description: 'Pointers in `errors` begin with `/jobs/<index>`.',
    access: 'caller',
    parameters: ['idempotencyKey'],
    body: { content: json(batchBody, { jobs: [{ name: 'steps', data }], mode: 'per-item' }) },
    answers: {
      202: {
        description: 'The jobs are queued. With `per-item`, an invalid job has an `error` instead.',
        headers: [
          'Set-Cookie',
          {
            name: 'Retry-After',
            description:
              'Seconds until a job of the batch may be accepted, if none was accepted and at least one was refused because of a limit',
          },
        ],
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
    summary: "List the caller's jobs, newest first",
    description: 'Returns all jobs to an admin, and an empty list to an unidentified caller.',
    access: 'caller',
    parameters: [
      several('state', 'Jobs in any of these states', { type: 'string', enum: [...JOB_STATES] }, ofAny),
      several('name', 'Jobs of any of these kinds', { type: 'string', minLength: 1 }, ofAny),
      several('tag', 'Jobs with any of these tags', { type: 'string', minLength: 1 }, ofAny),
      query(
        'from',
        'Jobs created at or after this time: milliseconds since 1970, or RFC 3339 with an offset',
        time,
      ),
      query('to', 'Jobs created before this time', time),
      query('owner', 'Jobs of this owner. `me` is the caller; other owners require an admin', {
        type: 'string',
      }),
      query('limit', 'Maximum number of jobs per page', {
        type: 'integer',
        minimum: 1,
        maximum: MAX_LIMIT,
        default: DEFAULT_LIMIT,
      }),
      query('cursor', 'The `next` of the previous page. Use it with the same filters', { type: 'string' }),
    ],
    answers: { 200: { description: 'A page of jobs', content: json(jobPage, { jobs: [activeJob] }) } },
    errors: ['invalid-request', 'forbidden'],
  },
  {
    method: 'get',
    path: '/v1/jobs/{id}',
    id: 'showJob',
    tag: TAG,
    summary: 'Get a job',
    access: 'job',
    parameters: [
      'jobId',
      query('include', 'Includes the data of the job, for admins', { type: 'string', enum: ['data'] }),
    ],
    answers: { 200: { description: 'The job', content: json(jobSchema, completedJob) } },
    errors: ['invalid-request'],
  },
  {
    method: 'get',
    path: '/v1/jobs/{id}/result',
    id: 'showResult',
    tag: TAG,
    summary: 'Get the result of a job, or a file in the result',
    description: 'If the result is a file, the file itself is sent.',
    access: 'job',
    parameters: [
      'jobId',
      query('file', 'A file in the result, named by its id or by its key in the result', { type: 'string' }),
    ],
    answers: {
      200: {
        description: 'The result (see the schema `<name>.result`), or a file',
        headers: ['ETag', 'Content-Disposition'],
        content: {
          'application/json': { schema: { description: 'Any JSON value' }, example: { steps: 5 } },
          'application/octet-stream': { schema: {} },
        },
      },
      206: {
        description: 'The requested range of a file',
        headers: ['ETag', 'Content-Disposition', 'Content-Range'],
        content: { 'application/octet-stream': { schema: {} } },
      },
      304: {
        description: 'The file matches `If-None-Match`',
        headers: ['ETag', 'Content-Disposition'],
      },
    },
    errors: [
      'not-finished',
      'job-failed',
      'job-cancelled',
      'precondition-failed',
      'range-not-satisfiable',
      'file-damaged',
    ],
  },
  {
    method: 'post',
    path: '/v1/jobs/{id}/cancel',
    id: 'cancelJob',
    audit: 'job.cancel',
    tag: TAG,
    summary: 'Cancel a job',
    description: 'No request body. Idempotent. Returns 409 if the job has completed or failed.',
    access: 'job',
    parameters: ['jobId'],
    answers: {
      200: {
        description: 'The job is cancelled',
        content: json(jobSchema, cancelledJob),
      },
      202: {
        description:
          'The job is running and was asked to stop. Its state becomes `cancelled` once it has cleaned up',
        content: json(jobSchema, { ...activeJob, progress: null, cancelling: true }),
      },
    },
    errors: ['already-finished'],
  },
  {
    method: 'post',
    path: '/v1/jobs/{id}/retry',
    id: 'retryJob',
    audit: 'job.retry',
    tag: TAG,
    summary: 'Retry a failed or cancelled job',
    description: 'No request body. The job keeps its id, and its stream continues after the previous end.',
    access: 'job',
    parameters: ['jobId'],
    answers: { 202: { description: 'The job is queued again', content: json(jobSchema, retriedJob) } },
    errors: ['not-failed', 'forbidden', 'limit-exceeded', 'quota-exceeded'],
  },
];
