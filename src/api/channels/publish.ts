import { z } from 'zod';
import type { ChannelEvent, Publisher } from '../../shared/channel/publisher.js';
import { HeadwayError } from '../../shared/errors.js';
import { requireValid } from '../invalid.js';

const MAX_EVENTS = 1000;

const eventSchema = z.strictObject({
  event: z.string().optional(),
  data: z.json(),
  id: z.string().optional(),
  retry: z.number().int().min(0).max(86_400_000).optional(),
  kind: z.enum(['log', 'state']).optional(),
  key: z
    .string()
    .regex(/^[\x21-\x7e]{1,100}$/, 'must be 1 to 100 visible ASCII characters')
    .optional(),
});
const batchSchema = z.strictObject({ events: z.array(eventSchema).min(1).max(MAX_EVENTS) });

/** What is to be published: `batch` says whether it came as one event or as several. */
export interface Publication {
  events: ChannelEvent[];
  batch: boolean;
}

/** @throws HeadwayError `invalid-request` that says what is wrong, and where */
export async function checkPublication(body: unknown): Promise<Publication> {
  const batch = body !== null && typeof body === 'object' && 'events' in body;
  const parsed = await requireValid(batch ? batchSchema : eventSchema, body);
  const events = ('events' in parsed ? parsed.events : [parsed]) as ChannelEvent[];
  return { events, batch };
}

/**
 * Publishes one after the other, so that they are in order whatever happens to the connection.
 * @returns their ids
 * @throws HeadwayError `invalid-request` for a name, id or data that no frame can carry: nothing of it was published,
 *   events before it were
 */
export async function publishAll(
  publisher: Publisher,
  channel: string,
  { events, batch }: Publication,
): Promise<string[]> {
  const ids: string[] = [];
  for (const [index, event] of events.entries()) {
    try {
      ids.push((await publisher.publish(channel, event))!);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const pointer = batch ? `/events/${index}` : '';
      throw new HeadwayError('invalid-request', `${pointer || 'The event'}: ${error.message}`, [
        { pointer, detail: error.message },
      ]);
    }
  }
  return ids;
}
