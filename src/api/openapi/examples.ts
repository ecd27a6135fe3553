import { jobLinks } from '../../shared/jobs/links.js';
import { scheduleLinks } from '../schedules/view.js';

/** The examples of the document show one job, before, during and after its run. */
const id = 'steps.4f1c7f5e-3c0a-4a55-9a43-2f7a1f0f3b1d';
const at = 1795497925599;

export const data = { count: 5, intervalMs: 100 };
const progress = {
  jobId: id,
  attempt: 1,
  percent: 40,
  current: 2,
  total: 5,
  unit: 'steps',
  ratePerSecond: 9.8,
  etaMs: 306,
  at: at + 230,
};

export const acceptedExample = {
  id,
  name: 'steps',
  state: 'waiting',
  links: jobLinks(id, ''),
  token: 'eyJhbGciOiJIUzI1NiJ9.eyJqb2IiOiJzdGVwcyJ9.c2lnbmF0dXJl',
};

export const activeJob = {
  id,
  name: 'steps',
  state: 'active',
  progress,
  attempt: 1,
  attempts: 3,
  createdAt: at,
  startedAt: at + 2,
  links: jobLinks(id, ''),
};

export const completedJob = {
  ...activeJob,
  state: 'completed',
  progress: { ...progress, percent: 100, current: 5, etaMs: 0, at: at + 530 },
  finishedAt: at + 531,
  result: { steps: 5 },
};

export const cancelledJob = { ...activeJob, state: 'cancelled', progress: null, finishedAt: at + 300 };
export const retriedJob = { ...activeJob, state: 'waiting', progress: null };

const scheduleId = '0b6f7f0e-6f0a-4f5c-8f0b-5d9d3c1a2b4c';

export const scheduleBody = {
  name: 'steps',
  data,
  cron: '0 9 * * MON-FRI',
  timeZone: 'Europe/Berlin',
  key: 'mornings',
};

export const schedule = {
  id: scheduleId,
  state: 'active',
  ...scheduleBody,
  createdAt: at,
  updatedAt: at,
  runs: 0,
  nextRunAt: at + 3_600_000,
  nextRun: null,
  lastRun: null,
  links: scheduleLinks(scheduleId, ''),
};

/** The answer to a long poll. */
export const polled = {
  events: [{ id: '0f548b34108c-4', event: 'progress', data: progress }],
  after: '0f548b34108c-4',
};

/** The first bytes of a stream. */
export const frames = [
  'retry: 1713\n\n',
  `id: 0f548b34108c-1\nevent: waiting\ndata: ${JSON.stringify({ jobId: id, name: 'steps', attempt: 0, at })}\n\n`,
  `id: 0f548b34108c-4\nevent: progress\ndata: ${JSON.stringify(progress)}\n\n`,
].join('');
