import { admin, bearer, type OperationCases, ofJob } from '../world.js';

export const streamCases: Record<string, OperationCases> = {
  watchJob: {
    good: [
      ['a job', 200, async (world) => ofJob(await world.ended())],
      ['a long poll', 200, async (world) => ({ ...ofJob(await world.ended()), query: { wait: '0' } })],
      [
        'a job after its end',
        204,
        async (world) => {
          const job = await world.ended();
          return { ...ofJob(job), query: { lastEventId: await world.lastEventId(job) } };
        },
      ],
    ],
    bad: [
      ['an unknown job', 404, () => ({ path: { id: 'steps.none' } })],
      ['a negative wait', 400, () => ({ path: { id: 'steps.none' }, query: { wait: '-1' } })],
      [
        'with another Accept header',
        406,
        async (world) => {
          const call = ofJob(await world.ended());
          return { ...call, headers: { ...call.headers, Accept: 'application/json' } };
        },
      ],
    ],
  },
  watchJobs: {
    good: [
      [
        'two jobs',
        200,
        async (world) => {
          const jobs = await Promise.all([world.ended(), world.running()]);
          return { query: { job: jobs.map(({ id }) => id), token: jobs.map(({ token }) => token) } };
        },
      ],
      ["the caller's jobs", 200, (world) => ({ query: { jobs: 'mine' }, headers: bearer(world.user) })],
      ['the jobs of a queue', 200, () => ({ query: { queue: 'steps' }, headers: admin })],
      [
        'jobs after their ends',
        204,
        async (world) => {
          const job = await world.ended();
          const lastEventId = await world.lastEventId(job);
          return { query: { job: job.id, token: job.token, lastEventId } };
        },
      ],
    ],
    bad: [
      ['no job', 400, () => ({})],
      ['a long poll of an overview', 400, () => ({ query: { queue: 'steps', wait: '0' }, headers: admin })],
      ['two selections at once', 400, () => ({ query: { job: 'steps.1', jobs: 'mine' } })],
      ['the jobs of an unidentified caller', 401, () => ({ query: { jobs: 'mine' } })],
      ['a queue, by a user', 403, (world) => ({ query: { queue: 'steps' }, headers: bearer(world.user) })],
      ['an unknown job', 404, () => ({ query: { job: 'steps.none' } })],
    ],
  },
  watchChannels: {
    good: [
      [
        'events since a time',
        200,
        () => ({ query: { channel: ['public.a'], since: '2026-01-01T00:00:00Z' } }),
      ],
      ['two channels', 200, () => ({ query: { channel: ['public.a', 'public.b'], last: '3' } })],
      [
        'a long poll',
        200,
        () => ({ query: { channel: ['public.a', 'public.b'], wait: '0', after: '0-0,' } }),
      ],
      [
        'the channel of a job after its end',
        204,
        async (world) => {
          const job = await world.ended();
          const lastEventId = await world.lastEventId(job);
          return { query: { channel: `job:${job.id}`, token: job.token, lastEventId } };
        },
      ],
    ],
    bad: [
      ['a channel that requires a token', 401, () => ({ query: { channel: 'private.a' } })],
      ['an invalid last', 400, () => ({ query: { channel: 'public.a', last: 'all' } })],
    ],
  },
  watchDashboard: {
    good: [
      ['of my jobs', 200, (world) => ({ headers: bearer(world.user) })],
      [
        'of all',
        200,
        () => ({ headers: admin, query: { name: ['steps'], sort: 'newest', from: '0', rows: '10' } }),
      ],
    ],
    bad: [['too many rows', 400, () => ({ query: { rows: '100000' } })]],
  },
};
