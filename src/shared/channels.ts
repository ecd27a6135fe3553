import type { Redis } from 'ioredis';
import { channelKeys, checkChannelName, jobOfChannel } from './channel/keys.js';
import { type ChannelEvent, createPublisher, type PreparedEvent, prepareEvent } from './channel/publisher.js';
import { newEpoch } from './channel/scripts.js';
import { configSchema } from './config.js';
import { untilTaken } from './redis/until-taken.js';
import { checkRedis, connectRedis } from './redis.js';

export type { ChannelEvent } from './channel/publisher.js';

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

/** How long Redis remembers an event, to know it when it is sent again, in ms. */
const REMEMBER_MS = 60_000;

/**
 * Connects to the channels of a Headway service.
 * @throws UnusableRedisError when Redis is too old or does not answer in ten seconds
 */
export async function connectChannels(options: ChannelsOptions = {}): Promise<Channels> {
  const { env } = process;
  const setting = <K extends keyof typeof configSchema.shape>(name: K) =>
    configSchema.shape[name].parse(env[name] || undefined);
  const redisUrl = options.redisUrl ?? (setting('REDIS_URL') as string);
  const redis: Redis = connectRedis(redisUrl, 'report');
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
  /** The last call of each channel that has calls under way. */
  const last = new Map<string, Promise<unknown>>();

  /** Sends one event until Redis has it. Its record gives the same id to each try. */
  async function publishOnce(channel: string, event: PreparedEvent): Promise<string> {
    const record = { key: `${channelKeys(prefix, channel)[0]}:sent:${newEpoch()}`, ttlMs: REMEMBER_MS };
    const numbering = { source: 'once', first: 1, record };
    const reply = await untilTaken(() => publisher.publishInRow(channel, [event], { numbering }));
    if (reply.state !== 'taken') throw new Error(`an event was not taken: ${reply.state}`);
    return reply.id;
  }

  return {
    async publish(channel, event) {
      if (jobOfChannel(channel) !== undefined)
        throw new TypeError('only its worker publishes to the channel of a job');
      checkChannelName(channel);
      const prepared = prepareEvent(event);
      const before = last.get(channel) ?? Promise.resolve();
      const done = before.catch(() => {}).then(() => publishOnce(channel, prepared));
      last.set(channel, done);
      try {
        return await done;
      } finally {
        if (last.get(channel) === done) last.delete(channel);
      }
    },
    async close() {
      await Promise.allSettled(last.values());
      await redis.quit().catch(() => redis.disconnect());
    },
  };
}
