import { type OperationCases, ofJob } from '../world.js';

export const streamCases: Record<string, OperationCases> = {
  watchJob: {
    good: [
      ['a job', 200, async (world) => ofJob(await world.ended())],
      [
        'a job whose end was seen',
        204,
        async (world) => {
          const job = await world.ended();
          return { ...ofJob(job), query: { lastEventId: await world.lastEventId(job) } };
        },
      ],
    ],
    bad: [
      ['one that is not there', 404, () => ({ path: { id: 'steps.none' } })],
      [
        'as something else',
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
      [
        'jobs whose ends were seen',
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
      ['one that is not there', 404, () => ({ query: { job: 'steps.none' } })],
    ],
  },
  watchChannels: {
    good: [
      ['two channels', 200, () => ({ query: { channel: ['public.a', 'public.b'], last: '3' } })],
      [
        'the channel of a job whose end was seen',
        204,
        async (world) => {
          const job = await world.ended();
          const lastEventId = await world.lastEventId(job);
          return { query: { channel: `job:${job.id}`, token: job.token, lastEventId } };
        },
      ],
    ],
    bad: [
      ['one that is not open', 401, () => ({ query: { channel: 'private.a' } })],
      ['too much of it', 400, () => ({ query: { channel: 'public.a', last: 'all' } })],
    ],
  },
};
