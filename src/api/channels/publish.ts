import type { Redis } from 'ioredis';
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
import { requireValid } from '../http/invalid.js';
import { canonicalJson, sha256 } from '../jobs/idempotency.js';

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

/** Whoever sends events again under the same key gets the same ids, and publishes nothing twice. */
export interface PublishOnce {
  /** The `Idempotency-Key`, made the caller's own. */
  key: string;
  /** The body that came with it. */
  body: unknown;
}

/**
 * Publishes events one after the other.
 * @returns their ids
 * @throws HeadwayError `idempotency-conflict` for a key that came with another body
 */
export type PublishAll = (channel: string, events: ChannelEvent[], once?: PublishOnce) => Promise<string[]>;

export interface PublishAllOptions {
  redis: Redis;
  prefix: string;
  publisher: Publisher;
  /** How long a key is remembered, in ms. */
  keyTtlMs: number;
}

export function createPublishAll({ redis, prefix, publisher, keyTtlMs }: PublishAllOptions): PublishAll {
  /** Notes what a key is used for, in the slot of the channel. */
  async function claim(channel: string, { key, body }: PublishOnce): Promise<Numbering['record']> {
    const [channelKey] = channelKeys(prefix, channel);
    const record = `${channelKey}:sent:${sha256(key)}`;
    const digest = sha256(canonicalJson(body));
    const replies = await redis
      .multi()
      .hsetnx(record, 'body', digest)
      .pexpire(record, keyTtlMs)
      .hget(record, 'body')
      .exec();
    const [error, used] = replies!.at(-1)!;
    if (error) throw error;
    if (used !== digest) {
      throw new HeadwayError(
        'idempotency-conflict',
        'This Idempotency-Key was used with another body. Use a new key for other events.',
      );
    }
    return { key: record, ttlMs: keyTtlMs };
  }

  return async (channel, events, once) => {
    const record = once && (await claim(channel, once));
    const calls = inCalls(events.map(prepareEvent));
    const ids: string[] = [];
    for (let i = 0; i < calls.length; ) {
      const { first, prepared } = calls[i]!;
      const numbering = record && { source: 'request', first, record };
      const reply = await publisher.publishInRow(channel, prepared, { numbering });
      // Redis came back without what it had taken of this request before.
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

/** Divides events into calls that keep Redis for a moment only; the same events always in the same way. */
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
