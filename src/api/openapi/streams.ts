import { z } from 'zod';
import { customEvent, type EventSpec, jobEvents } from '../../shared/jobs/events/job-events.js';
import { streamEvents } from '../../shared/jobs/events/stream-events.js';
import { jsonValue } from '../../shared/jobs/schema.js';
import { MAX_ROWS } from '../live/query.js';
import { overviewEvents } from '../overview/events.js';
import { MAX_CHANNELS } from '../stream/multiplexed.js';
import { named, ref } from './components.js';
import { frames, polled } from './examples.js';
import { type Content, json, type Operation } from './operation.js';
import { type Parameter, RESUME_OR_POLL, several } from './parameters.js';

const TAG = 'Streams';

/** Every event with a schema, by name. */
export const allEvents: Record<string, EventSpec> = { ...jobEvents, ...streamEvents, ...overviewEvents };

const componentOf = (event: string): string =>
  event === 'progress' ? 'Progress' : `${event.charAt(0).toUpperCase()}${event.slice(1)}Event`;
for (const [event, { data }] of Object.entries(allEvents)) named(componentOf(event), data);
named('CustomEvent', customEvent.data);

const refs = (events: Record<string, EventSpec>) =>
  Object.fromEntries(Object.entries(events).map(([event, { data }]) => [event, ref(data)]));
/** The `x-events` of streams of jobs. `*` stands for custom events. */
const ofJobs = { ...refs(jobEvents), ...refs(streamEvents), '*': ref(customEvent.data) };

const table = (events: Record<string, EventSpec>): string =>
  [
    '| Event | When | Data |',
    '| --- | --- | --- |',
    ...Object.entries(events).map(
      ([event, { about }]) => `| \`${event}\` | ${about} | \`${componentOf(event)}\` |`,
    ),
  ].join('\n');

const pollSchema = named(
  'PolledEvents',
  z.object({
    events: z.array(
      z.object({
        id: z.string().optional().describe('Absent from events about the stream itself'),
        event: z.string(),
        data: jsonValue.describe('JSON data as it was published; other data as a string'),
      }),
    ),
    after: z.string().describe('Where the next request continues, as its `after`'),
    retry: z.number().int().optional().describe('When to send the next request, in ms. Only if not at once'),
  }),
);

const stream: Content = {
  'text/event-stream': {
    schema: { type: 'string', description: 'Server-sent events (WHATWG HTML, section 9.2)' },
    example: frames,
  },
};
const answers = {
  200: {
    description: 'The stream: first the events that the viewer has missed, then live events',
    content: stream,
  },
  204: { description: 'The viewer has seen the end. `EventSource` does not reconnect' },
};
/** The answers of a stream that can also be polled. */
const pollable = {
  ...answers,
  200: {
    description: `${answers[200].description}. With \`wait\`: the missed events, or else the next one, as JSON or as an event stream that ends`,
    content: { ...stream, ...json(pollSchema, polled) },
  },
};

/** The streams: `/v1/jobs/{id}/events`, `/v1/events`, `/stream` and `/v1/dashboard/events`. */
export const streamOperations: Operation[] = [
  {
    method: 'get',
    path: '/v1/jobs/{id}/events',
    id: 'watchJob',
    tag: TAG,
    summary: 'Watch a job',
    description: `A new viewer first receives all stored log events and the newest event of each state; a viewer with \`Last-Event-ID\` receives what it has missed. Live events follow, with comments as heartbeats in between. The response ends after the last event. The data of events is JSON:\n\n${table(jobEvents)}\n| any other name | ${customEvent.about} | \`CustomEvent\` |\n\nEvents about the stream itself:\n\n${table(streamEvents)}`,
    access: 'job',
    parameters: ['jobId', 'retries', ...RESUME_OR_POLL],
    answers: pollable,
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
      'With `job`: the events of `GET /v1/jobs/{id}/events` of all named jobs. Requires access to each of them, by a `token=` for each or as their owner. Event ids are comma-separated lists. The response ends when all jobs have ended. With `jobs` or `queue`: a `reset`, then a `job` event whenever a job joins, changes or leaves (only the newest of each job), and `jobs` with the number of unfinished jobs. These events have no ids.',
    access: 'job',
    parameters: [
      several('job', `1 to ${MAX_CHANNELS} job ids`),
      {
        name: 'jobs',
        in: 'query',
        description: 'Instead of `job`: the states of all jobs of the caller',
        schema: { type: 'string', enum: ['mine'] },
      },
      {
        name: 'queue',
        in: 'query',
        description: 'Instead of `job`, admins only: the states of all jobs in a queue',
        schema: { type: 'string' },
      },
      'retries',
      ...RESUME_OR_POLL,
    ],
    answers: pollable,
    errors: ['invalid-request', 'forbidden', 'not-acceptable'],
    events: { ...ofJobs, ...refs(overviewEvents) },
  },
  {
    method: 'get',
    path: '/stream',
    id: 'watchChannels',
    tag: TAG,
    summary: 'Watch channels',
    description: `Streams the events that are published to the channels, with their data unchanged. \`job:<id>\` is the channel of a job. With several channels, event ids are comma-separated lists. Events about the stream itself:\n\n${table(streamEvents)}`,
    access: 'granted',
    parameters: [
      several('channel', `Up to ${MAX_CHANNELS} channel names. Defaults to \`sse\``),
      {
        name: 'last',
        in: 'query',
        description: 'New viewers only: how many of the newest log events to replay',
        schema: { type: 'integer', minimum: 0, maximum: 10_000, default: 0 },
      },
      {
        name: 'since',
        in: 'query',
        description:
          'Instead of `last`: replay the log events published since this time, in milliseconds since 1970 or RFC 3339',
        schema: { type: 'string' },
      },
      ...RESUME_OR_POLL,
    ],
    answers: pollable,
    errors: ['invalid-request', 'forbidden', 'not-found', 'gone', 'not-acceptable'],
    events: refs(streamEvents),
  },
  {
    method: 'get',
    path: '/v1/dashboard/events',
    id: 'watchDashboard',
    tag: TAG,
    summary: 'Watch the dashboard',
    description:
      "Covers all jobs for an admin, otherwise the caller's own jobs. Sends `dashboard` events, at most two a second. The first has all sections, later ones the sections that have changed. The events have no ids. docs/reference/events.md describes the sections.",
    access: 'caller',
    parameters: [
      several('name', 'Only these kinds of job', { type: 'string' }, { max: 20 }),
      ...['q', 'process'].map(
        (name): Parameter => ({
          name,
          in: 'query',
          description: name === 'q' ? 'Only jobs that contain this text' : 'Only jobs that this process runs',
          schema: { type: 'string' },
        }),
      ),
      {
        name: 'sort',
        in: 'query',
        description: 'Sort order of active jobs',
        schema: { type: 'string', enum: ['oldest', 'newest'], default: 'oldest' },
      },
      {
        name: 'from',
        in: 'query',
        description: 'Index of the first active job to return',
        schema: { type: 'integer', minimum: 0, default: 0 },
      },
      {
        name: 'rows',
        in: 'query',
        description: 'Number of active jobs to return',
        schema: { type: 'integer', minimum: 0, maximum: MAX_ROWS, default: 50 },
      },
    ],
    answers: { 200: answers[200] },
    errors: ['invalid-request', 'not-acceptable'],
  },
];
