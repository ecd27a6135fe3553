import { z } from 'zod';
import { frameBody, idsInRow, MAX_RETRY_MS, MIN_RETRY_MS } from '../../shared/channel/frame.js';
import { channelKeys } from '../../shared/channel/keys.js';
import {
  type ChannelEvent,
  type Numbering,
  type PreparedEvent,
  type Publisher,
  prepareEvent,
  ROW_CHARACTERS,
  ROW_EVENTS,
} from '../../shared/channel/publisher.js';
import { HeadwayError } from '../../shared/errors.js';
import { jsonValue } from '../../shared/jobs/schema.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { requireValid } from '../http/invalid.js';
import { canonicalJson, sha256 } from '../jobs/idempotency.js';

const MAX_EVENTS = 1000;

/** The body of `POST /v1/channels/:name` for one event. */
export const eventSchema = z.strictObject({
  event: z
    .string()
    .optional()
    .describe(
      '1 to 100 characters, except `error`, `open`, `reset` and `unauthorized`. Browsers default to `message`',
    ),
  data: jsonValue.describe('A string is sent unchanged, line by line. Anything else is sent as JSON'),
  id: z.string().optional().describe('1 to 200 visible ASCII characters, appended to the id of the event'),
  retry: z
    .number()
    .int()
    .min(MIN_RETRY_MS)
    .max(MAX_RETRY_MS)
    .optional()
    .describe('How long viewers wait before they reconnect, in ms'),
  kind: z
    .enum(['log', 'state'])
    .optional()
    .describe(
      '`log` (default): every event is kept, in order. `state`: only the newest event of each `key` is kept',
    ),
  key: z
    .string()
    .regex(/^[\x21-\x7e]{1,100}$/, 'must be 1 to 100 visible ASCII characters')
    .optional()
    .describe(
      '`state` only: replaces the previous event with the same key. Defaults to the name of the event',
    ),
});
/** The body of `POST /v1/channels/:name` for several events. */
export const eventsSchema = z.strictObject({ events: z.array(eventSchema).min(1).max(MAX_EVENTS) });

/** Events to publish. `batch` says whether the request was for several events. */
export interface Publication {
  events: ChannelEvent[];
  batch: boolean;
}

/** Validates the body of a request. @throws HeadwayError `invalid-request` with what is wrong and where */
export async function checkPublication(body: unknown): Promise<Publication> {
  const batch = body !== null && typeof body === 'object' && 'events' in body;
  const parsed = await requireValid(batch ? eventsSchema : eventSchema, body);
  const events = ('events' in parsed ? parsed.events : [parsed]) as ChannelEvent[];
  // All are checked before the first is published: a corrected batch that is sent again publishes nothing twice.
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

/** Makes a publication safe to repeat: with the same key, the ids are the same and nothing is published twice. */
export interface PublishOnce {
  /** The `Idempotency-Key`, scoped to the caller. */
  key: string;
  /** The body of the request. */
  body: unknown;
}

/**
 * Publishes events in order.
 * @returns their ids
 * @throws HeadwayError `idempotency-conflict` for a key that was used with a different body; `channel-full` if the channel has no
 *   room for a state event. Earlier events of the request may have been published
 */
export type PublishAll = (channel: string, events: ChannelEvent[], once?: PublishOnce) => Promise<string[]>;

export interface PublishAllOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  publisher: Publisher;
  /** How long a key is remembered, in ms. */
  keyTtlMs: number;
}

export function createPublishAll({ redis, keyspace, publisher, keyTtlMs }: PublishAllOptions): PublishAll {
  /** Records the body that a key is used with. The record has the hash tag of the channel. */
  async function claim(channel: string, { key, body }: PublishOnce): Promise<Numbering['record']> {
    const [channelKey] = channelKeys(keyspace, channel);
    const record = `${channelKey}:sent:${sha256(key)}`;
    const digest = sha256(canonicalJson(body));
    const replies = await redis
      .multi()
      .hsetnx(record, 'body', digest)
      .pexpire(record, keyTtlMs)
      .hget(record, 'body')
      .exec();
    const [error, used] = replies?.at(-1) ?? [new Error('Redis discarded the transaction'), undefined];
    if (error) throw error;
    if (used !== digest) {
      throw new HeadwayError(
        'idempotency-conflict',
        'This Idempotency-Key was used with a different body. Use a new key for other events.',
      );
    }
    return { key: record, ttlMs: keyTtlMs };
  }

  return async (channel, events, once) => {
    const record = once && (await claim(channel, once));
    const calls = inCalls(events.map(prepareEvent));
    const ids: string[] = [];
    for (let i = 0; i < calls.length; ) {
      const call = calls[i];
      if (!call) throw new Error('the events of this request were divided differently before');
      const { first, prepared } = call;
      const numbering = record && { source: 'request', first, record };
      const reply = await publisher.publishInRow(channel, prepared, { numbering });
      // Redis was restored without earlier events of this request: they are published again.
      if (reply.state === 'missing') i = calls.findIndex((call) => call.first === reply.last + 1);
      else if (reply.state !== 'taken') throw new Error('the events of a channel have no fence');
      else {
        ids.splice(first - 1, prepared.length, ...idsInRow(reply.id, prepared.length));
        i++;
      }
    }
    return ids;
  };
}

/** Divides events into calls that block Redis only briefly. The same events are always divided in the same way. */
function inCalls(events: PreparedEvent[]): Array<{ first: number; prepared: PreparedEvent[] }> {
  const calls: Array<{ first: number; prepared: PreparedEvent[] }> = [];
  let characters = 0;
  for (const [i, event] of events.entries()) {
    const call = calls.at(-1);
    characters += event.body.length;
    if (call && call.prepared.length < ROW_EVENTS && characters <= ROW_CHARACTERS) call.prepared.push(event);
    else {
      calls.push({ first: i + 1, prepared: [event] });
      characters = event.body.length;
    }
  }
  return calls;
}
