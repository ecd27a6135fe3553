import type { Redis } from 'ioredis';
import type { Batch } from '../../src/shared/channel/batch.js';
import { frameId } from '../../src/shared/channel/frame.js';
import { ChannelHub } from '../../src/shared/channel/hub.js';
import { channelKeys } from '../../src/shared/channel/keys.js';
import type { ChannelLimits } from '../../src/shared/channel/limits.js';
import { createPublisher } from '../../src/shared/channel/publisher.js';
import { createReader } from '../../src/shared/channel/reader.js';
import { channelScripts } from '../../src/shared/channel/scripts.js';
import type { Sink, Subscription } from '../../src/shared/channel/subscription.js';
import { createKeyspace } from '../../src/shared/keyspace.js';
import { nodeOf } from '../../src/shared/redis/client.js';
import { type ConnectionRole, connectRedis, connectSubscriber } from '../../src/shared/redis/connect.js';
import { openRedis } from './redis.js';
import { parseData } from './sse.js';

/** Opens the channels of one process on a real Redis. */
export function openChannels(
  url: string,
  {
    sharded = true,
    logLength = 100_000,
    ttlMs = 60_000,
    prefix = 'test',
    role = 'patient' as ConnectionRole,
    batch = undefined as Batch | undefined,
    limits = undefined as ChannelLimits | undefined,
  } = {},
) {
  const redis = connectRedis(url, role, { scripts: channelScripts });
  const subscriberRedis = connectSubscriber(url);
  const reads: string[] = [];
  const keyspace = createKeyspace(prefix);
  const read = createReader(redis, keyspace);
  const hub = new ChannelHub({
    redis: subscriberRedis,
    keyspace,
    sharded,
    read: (channel, since) => {
      reads.push(channel);
      return read(channel, since);
    },
  });
  const publisher = createPublisher({ redis, keyspace, logLength, ttlMs, sharded, batch, limits });
  return {
    redis,
    reads,
    hub,
    publisher,
    close: () => {
      redis.disconnect();
      subscriberRedis.disconnect();
    },
  };
}

const ID_LINE = 'i'.charCodeAt(0);

type Position = ReturnType<typeof frameId>;

const positions = new WeakMap<Buffer, Position>();
/** Returns a frame's position, which is read once for all viewers that get the frame. */
function positionOf(frame: Buffer): Position {
  let position = positions.get(frame);
  if (!position) {
    position = frameId(frame);
    positions.set(frame, position);
  }
  return position;
}

/** A viewer that keeps the frames it was sent. */
export class Viewer implements Sink {
  /** The frames as sent. The buffers are shared, so thousands of viewers are cheap. */
  readonly received: Buffer[] = [];
  offsets: number[] = [];
  ended = false;
  subscription!: Subscription;
  private last: Position | undefined;

  /** @param accept what the next `write` returns: false for a full socket */
  constructor(private readonly accept: () => boolean = () => true) {}

  write(frame: Buffer): boolean {
    this.received.push(frame);
    if (frame[0] === ID_LINE) {
      this.last = positionOf(frame);
      this.offsets.push(this.last.offset);
    }
    return this.accept();
  }

  /** The id of the last event. */
  get lastId(): string | undefined {
    return this.last && `${this.last.epoch}-${this.last.offset}`;
  }

  end(): void {
    this.ended = true;
  }

  get frames(): string[] {
    return this.received.map(String);
  }

  events(): string[] {
    return this.frames.map((frame) => /^event: (.*)$/m.exec(frame)?.[1] ?? 'message');
  }

  data(): unknown[] {
    return this.frames.map((frame) => parseData(/^data: (.*)$/m.exec(frame)![1]!));
  }
}

/** Opens a connection for the test itself. */
export const plainRedis = (url: string): Redis => openRedis(url);

/** Calls the server that has a channel, on a connection of its own. */
export async function callServerOf<T>(
  url: string,
  name: string,
  call: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = openRedis(url);
  const [key] = channelKeys(createKeyspace('test'), name);
  await redis.exists(key);
  return call(nodeOf(redis, key)).finally(() => redis.disconnect());
}
