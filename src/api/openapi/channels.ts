import { z } from 'zod';
import { eventSchema, eventsSchema } from '../channels/publish.js';
import { named, ref } from './components.js';
import { json, type Operation } from './operation.js';
import { inPath } from './parameters.js';

const event = named('ChannelEvent', eventSchema);
const events = named('ChannelEvents', eventsSchema);
const id = z.string().describe('The id of the event in the stream');
const published = named('Published', z.object({ id }));
const publishedAll = named('PublishedAll', z.object({ ids: z.array(id) }));

const presence = named(
  'ChannelPresence',
  z.object({ channel: z.string(), watchers: z.number().int(), complete: z.boolean() }),
);
const name = inPath('name', 'Channel name', 'public.scores');

/** `/v1/channels/{name}`: publishing to a channel, and counting its viewers. */
export const channelOperations: Operation[] = [
  {
    method: 'get',
    path: '/v1/channels/{name}',
    id: 'showChannel',
    tag: 'Channels',
    summary: 'Count the viewers of a channel',
    description:
      'Counts viewers in all API processes. The number is at most one second old. `complete` is `false` when a process has not answered within half a second. Requires permission to publish to the channel, or a rule that allows `presence`. For the channel `job:<id>`, requires access to the job.',
    access: 'granted',
    parameters: [name],
    answers: {
      200: {
        description: 'The current number of viewers',
        content: json(presence, { channel: 'public.scores', watchers: 1204, complete: true }),
      },
    },
    errors: ['invalid-request', 'forbidden', 'not-found'],
  },
  {
    method: 'post',
    path: '/v1/channels/{name}',
    id: 'publish',
    audit: false,
    tag: 'Channels',
    summary: 'Publish to a channel',
    description: 'Publishes one event, or up to 1000 in order. Channels do not have to be created first.',
    access: 'granted',
    parameters: [name, 'idempotencyKey'],
    body: {
      content: json({ anyOf: [ref(event), ref(events)] }, { event: 'score', data: { runs: 4 } }),
    },
    answers: {
      200: {
        description: 'Published. Returns `id` for one event, `ids` for `events`',
        content: json({ anyOf: [ref(published), ref(publishedAll)] }, { id: '0f548b34108c-6' }),
      },
    },
    errors: ['forbidden', 'invalid-idempotency-key', 'idempotency-conflict', 'channel-full'],
  },
];
