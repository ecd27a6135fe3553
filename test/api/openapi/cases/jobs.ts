import { randomUUID } from 'node:crypto';
import { admin, bearer, type Call, type Case, type OperationCases, ofJob } from '../world.js';

const steps = { name: 'steps', data: { count: 1, intervalMs: 1 } };
const nobody: Call = { path: { id: 'steps.00000000-0000-4000-8000-000000000000' } };
const options = {
  attempts: 3,
  backoff: { type: 'exponential', delayMs: 10, jitter: 0.2 },
  delayMs: 5,
  priority: 3,
  ttlMs: 60_000,
  timeoutMs: 60_000,
  keepMs: 60_000,
  title: 'Steps of Ada',
  metadata: { who: 'ada', deep: [{ null: null }] },
  tags: ['eu'],
};

export const jobCases: Record<string, OperationCases> = {
  startJob: {
    good: [
      ['a job', 202, () => ({ body: steps })],
      ['every option', 202, () => ({ body: { ...steps, options } })],
      [
        'a key, twice',
        202,
        async (world) => {
          const call = { body: steps, headers: { 'Idempotency-Key': randomUUID() } };
          await world.headway.client.post(call.body, call.headers);
          return call;
        },
      ],
      [
        'a deduplicated job',
        202,
        async (world) => {
          const data = { count: 1000, intervalMs: 1000 };
          const body = { name: 'steps', data, options: { deduplicationKey: randomUUID(), delayMs: 60_000 } };
          await world.headway.client.post(body);
          return { body };
        },
      ],
      ['a kind whose schema has no JSON Schema', 202, () => ({ body: { name: 'whole-file' } })],
    ],
    bad: [
      ['an unknown kind of job', 422, () => ({ body: { name: 'nothing' } })],
      ['invalid data', 422, () => ({ body: { name: 'steps', data: { count: 'many' } } })],
      ['invalid JSON', 400, () => ({ body: '{', headers: { 'Content-Type': 'application/json' } })],
      ['another type', 415, () => ({ body: 'x', headers: { 'Content-Type': 'text/plain' } })],
      ['a short key', 400, () => ({ body: steps, headers: { 'Idempotency-Key': 'short' } })],
      ['a body that is too large', 413, () => ({ body: { ...steps, data: 'x'.repeat(30_000) } })],
      ['an invalid token', 401, () => ({ body: steps, headers: bearer('x.y.z') })],
      [
        'another site',
        403,
        () => ({ body: steps, headers: { Cookie: 'headway_visitor=x', 'Sec-Fetch-Site': 'cross-site' } }),
      ],
    ],
  },
  startJobs: {
    good: [
      ['jobs', 202, () => ({ body: { jobs: [steps, steps] } })],
      ['jobs with mistakes', 202, () => ({ body: { jobs: [steps, { name: 'nothing' }], mode: 'per-item' } })],
    ],
    bad: [
      ['no jobs', 400, () => ({ body: { jobs: [] } })],
      ['a mistake', 422, () => ({ body: { jobs: [steps, { name: 'nothing' }] } })],
    ],
  },
  listJobs: {
    good: [
      [
        'jobs in every state',
        200,
        async (world) => {
          await Promise.all([world.ended(), world.failed(), world.start('steps', steps.data, options)]);
          const cancelled = await world.start('steps', steps.data, { delayMs: 60_000 });
          await world.headway.client.cancel(cancelled);
          return { headers: admin };
        },
      ],
      [
        'a filter',
        200,
        () => ({
          headers: admin,
          query: { state: ['completed', 'failed'], name: 'steps', tag: 'eu', from: '0', limit: '1' },
        }),
      ],
      ['an unidentified caller', 200, () => ({})],
    ],
    bad: [
      ['an unknown state', 400, () => ({ query: { state: 'lost' } })],
      ['the jobs of another owner', 401, () => ({ query: { owner: 'user:ada' } })],
    ],
  },
  showJob: {
    good: [
      ['a completed one', 200, async (world) => ofJob(await world.ended())],
      ['a failed one', 200, async (world) => ofJob(await world.failed())],
      ['an active one', 200, async (world) => ofJob(await world.running())],
      [
        'with its data',
        200,
        async (world) => ({ ...ofJob(await world.ended()), headers: admin, query: { include: 'data' } }),
      ],
      [
        'one with everything',
        200,
        async (world) => ofJob(await world.start('steps', steps.data, { ...options, delayMs: 60_000 })),
      ],
      [
        'with the token in the query',
        200,
        async (world) => {
          const { id, token } = await world.ended();
          return { path: { id }, query: { token } };
        },
      ],
    ],
    bad: [
      [
        'an unknown part',
        400,
        async (world) => ({ ...ofJob(await world.ended()), query: { include: 'all' } }),
      ],
      ['an unknown job', 404, () => nobody],
      [
        'a removed job',
        410,
        async (world) => {
          const job = await world.start('steps', steps.data, { keepMs: 1000 });
          await world.gone(job);
          return ofJob(job);
        },
      ],
    ],
  },
  showResult: {
    good: [
      ['JSON', 200, async (world) => ofJob(await world.ended())],
      ['a file', 200, async (world) => ofJob(await world.ended('whole-file', {}))],
      [
        'a part of a file',
        206,
        async (world) => {
          const call = ofJob(await world.ended('whole-file', {}));
          return { ...call, headers: { ...call.headers, Range: 'bytes=5-' } };
        },
      ],
      [
        'a file that the client has',
        304,
        async (world) => {
          const call = ofJob(await world.ended('whole-file', {}));
          const known = await fetch(`${world.headway.api.url}/v1/jobs/${call.path!.id}/result`, {
            headers: call.headers!,
          });
          // Without this header, fetch would add `no-cache`, and Express would not return 304.
          return {
            ...call,
            headers: {
              ...call.headers,
              'If-None-Match': known.headers.get('etag')!,
              'Cache-Control': 'max-age=0',
            },
          };
        },
      ],
    ],
    bad: [
      ['the result of a running job', 409, async (world) => ofJob(await world.running())],
      ['the result of a failed job', 409, async (world) => ofJob(await world.failed())],
      [
        'a file that is not in the result',
        404,
        async (world) => ({ ...ofJob(await world.ended()), query: { file: 'other' } }),
      ],
      ...(
        [
          ['a range beyond the end of the file', 416, { Range: 'bytes=100-' }],
          ['a file that does not match If-Match', 412, { 'If-Match': '"another"' }],
          ['a file that was modified since', 412, { 'If-Unmodified-Since': 'Mon, 01 Jan 2024 00:00:00 GMT' }],
        ] as const
      ).map(
        ([what, status, headers]): Case => [
          what,
          status,
          async (world) => {
            const call = ofJob(await world.ended('whole-file', {}));
            return { ...call, headers: { ...call.headers, ...headers } };
          },
        ],
      ),
    ],
  },
  cancelJob: {
    good: [
      [
        'a waiting job',
        200,
        async (world) => ofJob(await world.start('steps', steps.data, { delayMs: 60_000 })),
      ],
      ['a job that does not end at once', 202, async (world) => ofJob(await world.stubborn())],
    ],
    bad: [['a completed job', 409, async (world) => ofJob(await world.ended())]],
  },
  retryJob: {
    good: [['a failed job', 202, async (world) => ofJob(await world.failed())]],
    bad: [['a completed job', 409, async (world) => ofJob(await world.ended())]],
  },
};
