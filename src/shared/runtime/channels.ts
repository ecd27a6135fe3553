import { idsInRow } from '../channel/frame.js';
import { channelKeys, checkChannelName, jobOfChannel } from '../channel/keys.js';
import { channelLimits } from '../channel/limits.js';
import {
  type ChannelEvent,
  createPublisher,
  type PreparedEvent,
  prepareEvent,
  ROW_CHARACTERS,
  ROW_EVENTS,
} from '../channel/publisher.js';
import { channelScripts, newEpoch } from '../channel/scripts.js';
import { checkInstallation } from '../format/format.js';
import { formatScripts } from '../format/scripts.js';
import { createKeyspace } from '../keyspace.js';
import { type Config, configSchema, readRedisSettings } from '../process/config.js';
import { createLogger } from '../process/log.js';
import type { RedisClient } from '../redis/client.js';
import { connectRedis } from '../redis/connect.js';
import { untilTaken } from '../redis/until-taken.js';

export type { ChannelEvent } from '../channel/publisher.js';
export { DataFormatError } from '../format/format.js';
export { ConfigError } from '../process/config.js';
export { UnusableRedisError } from '../redis/unusable.js';

/** Options for {@link connectChannels}. Each defaults to the setting that is named with it. */
export interface ChannelsOptions {
  /**
   * `redis://`, `rediss://`, `unix:`, `redis+sentinel://` or `redis+cluster://`. Defaults to `REDIS_URL`, with the other `REDIS_…` settings of the
   * environment.
   */
  redisUrl?: string;
  /** The prefix of all Redis keys. Defaults to `KEY_PREFIX`. */
  keyPrefix?: string;
  /** Approximate number of events that the log of a channel keeps. Defaults to `CHANNEL_LOG_LENGTH`. */
  logLength?: number;
  /** How long a channel is kept after its last event, in ms. Defaults to `CHANNEL_TTL_MS`. */
  ttlMs?: number;
  /** Ends the wait for Redis, such as `AbortSignal.timeout(10_000)`. By default, the wait has no limit. */
  signal?: AbortSignal;
}

/** Publishes to channels from a program with access to Redis. */
export interface Channels {
  /**
   * Publishes an event to the subscribers of a channel (`GET /stream?channel=`), exactly once and in one round trip. While
   * Redis is unavailable or refuses writes, the call waits and is repeated. The events of a channel are published in the
   * order of the calls.
   * @param channel the full name: `score`, or `acme/score` for a channel of the tenant `acme`
   * @returns the event's id
   * @throws TypeError for an invalid channel name or event, and for the channel of a job
   */
  publish(channel: string, event: ChannelEvent): Promise<string>;
  /** Resolves when all earlier events are published and the connection is closed. */
  close(): Promise<void>;
}

/** How long Redis remembers a call, to recognize its repetition, in ms. */
const REMEMBER_MS = 10 * 60_000;

interface Waiting {
  event: PreparedEvent;
  resolve: (id: string) => void;
  reject: (error: unknown) => void;
}

/**
 * Connects to the channels of a Headway service. A Redis that is away is waited for, with a warning every few seconds. The
 * limits of channels are those of the environment.
 * @throws ConfigError for settings of Redis that are not valid
 * @throws UnusableRedisError if Headway cannot use Redis, or when `signal` is aborted
 * @throws DataFormatError if a newer release has changed the format of the data in Redis
 */
export async function connectChannels(options: ChannelsOptions = {}): Promise<Channels> {
  const { env } = process;
  const setting = <K extends keyof typeof configSchema.shape>(name: K) =>
    configSchema.shape[name].parse(env[name] || undefined);
  const settings = options.redisUrl === undefined ? readRedisSettings(env) : { REDIS_URL: options.redisUrl };
  const keyspace = createKeyspace(options.keyPrefix ?? (setting('KEY_PREFIX') as string));
  const scripts = { ...channelScripts, ...formatScripts };
  const redis: RedisClient = connectRedis(settings, 'report', { scripts });
  const log = createLogger(
    { LOG_LEVEL: (env.LOG_LEVEL as Config['LOG_LEVEL']) || 'warn', ...settings },
    'headway-channels',
  );
  const patience = {
    url: settings.REDIS_URL,
    onWait: (line: string) => log.warn(line),
    signal: options.signal,
  };
  const { sharded } = await checkInstallation(redis, patience, keyspace).catch((error) => {
    redis.disconnect();
    throw error;
  });
  const limits = channelLimits({
    CHANNEL_LOG_MAX_BYTES: setting('CHANNEL_LOG_MAX_BYTES') as number,
    CHANNEL_MAX_SLOTS: setting('CHANNEL_MAX_SLOTS') as number,
    CHANNEL_SLOTS_MAX_BYTES: setting('CHANNEL_SLOTS_MAX_BYTES') as number,
  });
  const publisher = createPublisher({
    redis,
    sharded,
    keyspace,
    logLength: options.logLength ?? (setting('CHANNEL_LOG_LENGTH') as number),
    ttlMs: options.ttlMs ?? (setting('CHANNEL_TTL_MS') as number),
    limits,
  });
  /** Unsent events, for each channel with a pending call. */
  const waiting = new Map<string, Waiting[]>();
  const sending = new Set<Promise<void>>();

  /** Sends all waiting events of a channel, one call at a time to preserve their order. */
  async function sendAll(channel: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      const calls = queue.splice(0, fitting(queue));
      const events = calls.map(({ event }) => event);
      // The record makes every attempt return the same ids.
      const record = { key: `${channelKeys(keyspace, channel)[0]}:sent:${newEpoch()}`, ttlMs: REMEMBER_MS };
      const numbering = { source: 'row', first: 1, record };
      try {
        const reply = await untilTaken(() => publisher.publishInRow(channel, events, { numbering }));
        if (reply.state !== 'taken') throw new Error(`events were not published: ${reply.state}`);
        for (const [i, id] of idsInRow(reply.id, calls.length).entries()) calls[i]?.resolve(id);
      } catch (error) {
        for (const { reject } of calls) reject(error);
      }
    }
    waiting.delete(channel);
  }

  return {
    async publish(channel, event) {
      if (jobOfChannel(channel) !== undefined)
        throw new TypeError('only workers can publish to the channel of a job');
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

/** Returns how many of the first events fit into one call. */
function fitting(queue: Waiting[]): number {
  let characters = 0;
  const over = queue.findIndex(({ event }, i) => {
    characters += event.body.length;
    return i > 0 && (i >= ROW_EVENTS || characters > ROW_CHARACTERS);
  });
  return over < 0 ? queue.length : over;
}
