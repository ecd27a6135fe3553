import type { Redis } from 'ioredis';
import { jobOfChannel } from './channel/keys.js';
import { type ChannelEvent, createPublisher } from './channel/publisher.js';
import { configSchema } from './config.js';
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
   * Publishes an event to whoever follows the channel (`GET /stream?channel=`): one round trip. While Redis is away it
   * waits.
   * @param channel as callers without a tenant name it: `score`, or `acme/score` for one of the tenant `acme`
   * @returns the event's id
   * @throws TypeError for a name or an event that no channel can carry, and for the channel of a job
   */
  publish(channel: string, event: ChannelEvent): Promise<string>;
  close(): Promise<void>;
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
  const redis: Redis = connectRedis(redisUrl, 'patient');
  const { sharded } = await checkRedis(redis, redisUrl).catch((error) => {
    redis.disconnect();
    throw error;
  });
  const publisher = createPublisher({
    redis,
    sharded,
    prefix: options.keyPrefix ?? (setting('KEY_PREFIX') as string),
    logLength: options.logLength ?? (setting('CHANNEL_LOG_LENGTH') as number),
    ttlMs: options.ttlMs ?? (setting('CHANNEL_TTL_MS') as number),
  });
  return {
    async publish(channel, event) {
      if (jobOfChannel(channel) !== undefined)
        throw new TypeError('only its worker publishes to the channel of a job');
      return (await publisher.publish(channel, event))!;
    },
    async close() {
      await redis.quit();
    },
  };
}
