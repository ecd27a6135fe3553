import { z } from 'zod';
import { eventSchema, eventsSchema } from '../channels/publish.js';
import { named, ref } from './components.js';
import { json, type Operation } from './operation.js';
import { inPath } from './parameters.js';

const event = named('ChannelEvent', eventSchema);
const events = named('ChannelEvents', eventsSchema);
const id = z.string().describe('The id of the event on the stream');
const published = named('Published', z.object({ id }));
const publishedAll = named('PublishedAll', z.object({ ids: z.array(id) }));

const presence = named(
  'ChannelPresence',
  z.object({ channel: z.string(), watchers: z.number().int(), complete: z.boolean() }),
);
const name = inPath('name', 'The name of a channel', 'public.scores');

/** `/v1/channels/{name}`: what a program can do with a channel, beside following it. */
export const channelOperations: Operation[] = [
  {
    method: 'get',
    path: '/v1/channels/{name}',
    id: 'showChannel',
    tag: 'Channels',
    summary: 'How many follow a channel',
    description:
      'Over all API processes, at most a second old. `complete` is false when one of them has not answered in half a second. For who may publish to it, or whom a rule allows it; `job:<id>` for who may see the job.',
    access: 'granted',
    parameters: [name],
    answers: {
      200: {
        description: 'How many there are now',
        content: json(presence, { channel: 'public.scores', watchers: 1204, complete: true }),
      },
    },
    errors: ['invalid-request', 'sign-in', 'forbidden', 'not-found'],
  },
  {
    method: 'post',
    path: '/v1/channels/{name}',
    id: 'publish',
    tag: 'Channels',
    summary: 'Publish to a channel',
    description: 'One event, or up to 1000, one after the other. A channel needs not be made before.',
    access: 'granted',
    parameters: [name, 'idempotencyKey'],
    body: {
      content: json({ anyOf: [ref(event), ref(events)] }, { event: 'score', data: { runs: 4 } }),
    },
    answers: {
      200: {
        description: 'It is published: one `id`, or `ids` where `events` were sent',
        content: json({ anyOf: [ref(published), ref(publishedAll)] }, { id: '0f548b34108c-6' }),
      },
    },
    errors: ['sign-in', 'forbidden', 'invalid-idempotency-key', 'idempotency-conflict'],
  },
];
