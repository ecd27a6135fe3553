import { z } from 'zod';
import { frameBody, MAX_RETRY_MS, MIN_RETRY_MS } from '../../shared/channel/frame.js';
import type { ChannelEvent, Publisher } from '../../shared/channel/publisher.js';
import { HeadwayError } from '../../shared/errors.js';
import { jsonValue } from '../../shared/schema.js';
import { requireValid } from '../invalid.js';

const MAX_EVENTS = 1000;

/** The body of `POST /v1/channels/:name` for one event. */
export const eventSchema = z.strictObject({
  event: z
    .string()
    .optional()
    .describe(
      '1 to 100 characters, not `error`, `open`, `reset` or `unauthorized`; `message` for browsers unless given',
    ),
  data: jsonValue.describe('A string goes out as it is, line by line; anything else as JSON'),
  id: z.string().optional().describe('1 to 200 visible ASCII characters, put behind the id of ours'),
  retry: z
    .number()
    .int()
    .min(MIN_RETRY_MS)
    .max(MAX_RETRY_MS)
    .optional()
    .describe('When viewers come back after their connection broke, in ms'),
  kind: z
    .enum(['log', 'state'])
    .optional()
    .describe(
      '`log` (default): each matters and is kept in order. `state`: only the newest of its `key` matters',
    ),
  key: z
    .string()
    .regex(/^[\x21-\x7e]{1,100}$/, 'must be 1 to 100 visible ASCII characters')
    .optional()
    .describe('Of a state: what it is the newest of. The name of the event unless given'),
});
/** The body of `POST /v1/channels/:name` for several events. */
export const eventsSchema = z.strictObject({ events: z.array(eventSchema).min(1).max(MAX_EVENTS) });

/** What is to be published: `batch` says whether it came as one event or as several. */
export interface Publication {
  events: ChannelEvent[];
  batch: boolean;
}

/** @throws HeadwayError `invalid-request` that says what is wrong, and where, also for what no frame can carry */
export async function checkPublication(body: unknown): Promise<Publication> {
  const batch = body !== null && typeof body === 'object' && 'events' in body;
  const parsed = await requireValid(batch ? eventsSchema : eventSchema, body);
  const events = ('events' in parsed ? parsed.events : [parsed]) as ChannelEvent[];
  // Before the first of them goes out: who mends a batch and sends it again publishes nothing twice.
  for (const [index, event] of events.entries()) checkFrame(event, batch ? `/events/${index}` : '');
  return { events, batch };
}

function checkFrame(event: ChannelEvent, pointer: string): void {
  try {
    frameBody(event);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const { message: detail } = error;
    throw new HeadwayError('invalid-request', `${pointer || 'The event'}: ${detail}`, [{ pointer, detail }]);
  }
}

/**
 * Publishes one after the other, so that they are in order whatever happens to the connection.
 * @returns their ids
 */
export async function publishAll(
  publisher: Publisher,
  channel: string,
  events: ChannelEvent[],
): Promise<string[]> {
  const ids: string[] = [];
  for (const event of events) ids.push((await publisher.publish(channel, event))!);
  return ids;
}
