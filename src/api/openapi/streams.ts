import { customEvent, type EventSpec, jobEvents } from '../../shared/jobs/events/job-events.js';
import { streamEvents } from '../../shared/jobs/events/stream-events.js';
import { MAX_ROWS } from '../live/query.js';
import { overviewEvents } from '../overview/events.js';
import { MAX_CHANNELS } from '../stream/multiplexed.js';
import { named, ref } from './components.js';
import { frames } from './examples.js';
import type { Content, Operation } from './operation.js';
import { type Parameter, RESUME, several } from './parameters.js';

const TAG = 'Streams';

/** Every event with a schema, by name. */
export const allEvents: Record<string, EventSpec> = { ...jobEvents, ...streamEvents, ...overviewEvents };

const componentOf = (event: string): string =>
  event === 'progress' ? 'Progress' : `${event[0]!.toUpperCase()}${event.slice(1)}Event`;
for (const [event, { data }] of Object.entries(allEvents)) named(componentOf(event), data);
named('CustomEvent', customEvent.data);

const refs = (events: Record<string, EventSpec>) =>
  Object.fromEntries(Object.entries(events).map(([event, { data }]) => [event, ref(data)]));
/** What `x-events` says of a stream of jobs; `*` stands for the job's own events. */
const ofJobs = { ...refs(jobEvents), ...refs(streamEvents), '*': ref(customEvent.data) };

const table = (events: Record<string, EventSpec>): string =>
  [
    '| event | when | data |',
    '| --- | --- | --- |',
    ...Object.entries(events).map(
      ([event, { about }]) => `| \`${event}\` | ${about} | \`${componentOf(event)}\` |`,
    ),
  ].join('\n');

const stream: Content = {
  'text/event-stream': {
    schema: { type: 'string', description: 'Server-sent events (WHATWG HTML, section 9.2)' },
    example: frames,
  },
};
const answers = {
  200: { description: 'The stream: what the viewer has missed, then what comes', content: stream },
  204: { description: 'The viewer has seen the end; `EventSource` does not come back' },
};

/** `/v1/jobs/{id}/events`, `/v1/events`, `/stream` and the dashboard's: what is pushed. */
export const streamOperations: Operation[] = [
  {
    method: 'get',
    path: '/v1/jobs/{id}/events',
    id: 'watchJob',
    tag: TAG,
    summary: 'Watch a job',
    description: `To a newcomer every log event that is kept and the newest of each state, to one with \`Last-Event-ID\` what came after; then live. A comment as a heartbeat in between. After the last event the response ends. The data of events is JSON:\n\n${table(jobEvents)}\n| any other | ${customEvent.about} | \`CustomEvent\` |\n\nEvents of the stream itself:\n\n${table(streamEvents)}`,
    access: 'job',
    parameters: ['jobId', 'retries', ...RESUME],
    answers,
    errors: ['invalid-request', 'not-acceptable'],
    events: ofJobs,
  },
  {
    method: 'get',
    path: '/v1/events',
    id: 'watchJobs',
    tag: TAG,
    summary: 'Watch several jobs over one connection',
    description:
      'With `job`, for who may see all of them: by `token=` once for each, or as who started them. The events are those of `GET /v1/jobs/{id}/events`; the id of each is a list with commas. The response ends when all have. With `jobs` or `queue`: `reset`, then a `job` event whenever one of them joins, moves or leaves, conflated, and `jobs` with their number; without ids.',
    access: 'job',
    parameters: [
      several('job', `Ids of jobs, 1 to ${MAX_CHANNELS}`),
      {
        name: 'jobs',
        in: 'query',
        description: 'In place of `job`: where all jobs of the caller stand',
        schema: { type: 'string', enum: ['mine'] },
      },
      {
        name: 'queue',
        in: 'query',
        description: 'In place of `job`, for an admin: where all jobs of a queue stand',
        schema: { type: 'string' },
      },
      'retries',
      ...RESUME,
    ],
    answers,
    errors: ['invalid-request', 'sign-in', 'forbidden', 'not-acceptable'],
    events: { ...ofJobs, ...refs(overviewEvents) },
  },
  {
    method: 'get',
    path: '/stream',
    id: 'watchChannels',
    tag: TAG,
    summary: 'Watch channels',
    description: `Whatever is published to them; the data is what its publisher gave. \`job:<id>\` is the channel of a job. Of several channels, the id of each event is a list with commas. Events of the stream itself:\n\n${table(streamEvents)}`,
    access: 'granted',
    parameters: [
      several('channel', `Names of channels, ${MAX_CHANNELS} at most; \`sse\` unless given`),
      {
        name: 'last',
        in: 'query',
        description: 'How many of the newest events of the log a newcomer wants',
        schema: { type: 'integer', minimum: 0, maximum: 10_000, default: 0 },
      },
      {
        name: 'since',
        in: 'query',
        description: 'In place of `last`: what was published from a time on, ms since 1970 or RFC 3339',
        schema: { type: 'string' },
      },
      ...RESUME,
    ],
    answers,
    errors: ['invalid-request', 'sign-in', 'forbidden', 'not-found', 'gone', 'not-acceptable'],
    events: refs(streamEvents),
  },
  {
    method: 'get',
    path: '/v1/dashboard/events',
    id: 'watchDashboard',
    tag: TAG,
    summary: 'Watch what the dashboard shows',
    description:
      "Of everybody's jobs for an admin, else of the caller's own. Events are named `dashboard`, twice a second at most: the first has every section, a later one those that have changed. They have no ids. PROTOCOL.md describes the sections.",
    access: 'caller',
    parameters: [
      several('name', 'Only these kinds of job', { type: 'string' }, { max: 20 }),
      ...['q', 'process'].map(
        (name): Parameter => ({
          name,
          in: 'query',
          description: name === 'q' ? 'Only jobs with these words' : 'Only what this process runs',
          schema: { type: 'string' },
        }),
      ),
      {
        name: 'sort',
        in: 'query',
        description: 'Which of the active jobs are first',
        schema: { type: 'string', enum: ['oldest', 'newest'], default: 'oldest' },
      },
      {
        name: 'from',
        in: 'query',
        description: 'The first row of active jobs',
        schema: { type: 'integer', minimum: 0, default: 0 },
      },
      {
        name: 'rows',
        in: 'query',
        description: 'How many rows of active jobs',
        schema: { type: 'integer', minimum: 0, maximum: MAX_ROWS, default: 50 },
      },
    ],
    answers: { 200: answers[200] },
    errors: ['invalid-request', 'not-acceptable'],
  },
];
