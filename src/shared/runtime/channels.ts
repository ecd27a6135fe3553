import type { Redis } from 'ioredis';
import { idsInRow } from '../channel/frame.js';
import { channelKeys, checkChannelName, jobOfChannel } from '../channel/keys.js';
import {
  type ChannelEvent,
  createPublisher,
  type PreparedEvent,
  prepareEvent,
  ROW_CHARACTERS,
  ROW_EVENTS,
} from '../channel/publisher.js';
import { channelScripts, newEpoch } from '../channel/scripts.js';
import { configSchema } from '../process/config.js';
import { checkRedis, connectRedis } from '../redis/connect.js';
import { untilTaken } from '../redis/until-taken.js';

export type { ChannelEvent } from '../channel/publisher.js';
export { UnusableRedisError } from '../redis/connect.js';

/** Where channels are, and how long they are kept. The defaults are those of the settings of the same names. */
export interface ChannelsOptions {
  /** `redis://`, `rediss://` or `unix:`. Default: `REDIS_URL`. */
  redisUrl?: string;
  /** Default: `KEY_PREFIX`. */
  keyPrefix?: string;
  /** About how many events the log of a channel keeps. Default: `CHANNEL_LOG_LENGTH`. */
  logLength?: number;
  /** How long a channel is kept after its last event, in ms. Default: `CHANNEL_TTL_MS`. */
  ttlMs?: number;
}

/** Channels, from a program that has Redis at hand. */
export interface Channels {
  /**
   * Publishes an event to whoever follows the channel (`GET /stream?channel=`), once: one round trip. While Redis is away or
   * refuses writes it waits, and what was sent without an answer is sent again. The events of a channel are published in
   * the order of the calls.
   * @param channel as callers without a tenant name it: `score`, or `acme/score` for one of the tenant `acme`
   * @returns the event's id
   * @throws TypeError for a name or an event that no channel can carry, and for the channel of a job
   */
  publish(channel: string, event: ChannelEvent): Promise<string>;
  /** Resolves when what was published before has arrived and the connection is closed. */
  close(): Promise<void>;
}

/** How long Redis remembers what was sent, to know it when it is sent again, in ms. */
const REMEMBER_MS = 10 * 60_000;

interface Waiting {
  event: PreparedEvent;
  resolve: (id: string) => void;
  reject: (error: unknown) => void;
}

/**
 * Connects to the channels of a Headway service.
 * @throws UnusableRedisError when Redis is too old or does not answer in ten seconds
 */
export async function connectChannels(options: ChannelsOptions = {}): Promise<Channels> {
  const { env } = process;
  const setting = <K extends keyof typeof configSchema.shape>(name: K) =>
    configSchema.shape[name].parse(env[name] || undefined);
  const redisUrl = options.redisUrl ?? (setting('REDIS_URL') as string);
  const redis: Redis = connectRedis(redisUrl, 'report', { scripts: channelScripts });
  const { sharded } = await checkRedis(redis, redisUrl).catch((error) => {
    redis.disconnect();
    throw error;
  });
  const prefix = options.keyPrefix ?? (setting('KEY_PREFIX') as string);
  const publisher = createPublisher({
    redis,
    sharded,
    prefix,
    logLength: options.logLength ?? (setting('CHANNEL_LOG_LENGTH') as number),
    ttlMs: options.ttlMs ?? (setting('CHANNEL_TTL_MS') as number),
  });
  /** What waits to be sent, for each channel on which a call is under way. */
  const waiting = new Map<string, Waiting[]>();
  const sending = new Set<Promise<void>>();

  /** Sends what waits for a channel until nothing does: one call at a time, so the order is that of the calls. */
  async function sendAll(channel: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      const calls = queue.splice(0, fitting(queue));
      const events = calls.map(({ event }) => event);
      // Its record gives each try the same id.
      const record = { key: `${channelKeys(prefix, channel)[0]}:sent:${newEpoch()}`, ttlMs: REMEMBER_MS };
      const numbering = { source: 'row', first: 1, record };
      try {
        const reply = await untilTaken(() => publisher.publishInRow(channel, events, { numbering }));
        if (reply.state !== 'taken') throw new Error(`events were not taken: ${reply.state}`);
        for (const [i, id] of idsInRow(reply.id, calls.length).entries()) calls[i]!.resolve(id);
      } catch (error) {
        for (const { reject } of calls) reject(error);
      }
    }
    waiting.delete(channel);
  }

  return {
    async publish(channel, event) {
      if (jobOfChannel(channel) !== undefined)
        throw new TypeError('only its worker publishes to the channel of a job');
      checkChannelName(channel);
      const prepared = prepareEvent(event);
      return new Promise((resolve, reject) => {
        const call = { event: prepared, resolve, reject };
        const queue = waiting.get(channel);
        if (queue) return void queue.push(call);
        const own = [call];
        waiting.set(channel, own);
        const sent = sendAll(channel, own).finally(() => sending.delete(sent));
        sending.add(sent);
      });
    },
    async close() {
      await Promise.all(sending);
      await redis.quit().catch(() => redis.disconnect());
    },
  };
}

/** How many of the first events go into one call. */
function fitting(queue: Waiting[]): number {
  let characters = 0;
  const over = queue.findIndex(({ event }, i) => {
    characters += event.body.length;
    return i > 0 && (i >= ROW_EVENTS || characters > ROW_CHARACTERS);
  });
  return over < 0 ? queue.length : over;
}
