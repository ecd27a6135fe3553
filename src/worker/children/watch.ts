import type { Redis } from 'ioredis';
import { jobChannel } from '../../shared/channel/keys.js';
import type { Reader } from '../../shared/channel/reader.js';
import { Subscriber } from '../../shared/channel/subscriber.js';
import type { Sink } from '../../shared/channel/subscription.js';
import type { JobError } from '../../shared/errors.js';
import type { Running } from '../../shared/lifecycle/bridge.js';
import { startRecheck } from '../../shared/lifecycle/recheck.js';
import type { Lifecycle } from '../../shared/lifecycle/reconcile.js';
import type { Logger } from '../../shared/log.js';

/** What became of a child. */
export type ChildEnd =
  | { state: 'completed'; result: unknown }
  | { state: 'failed' | 'cancelled'; error: JobError };

/** Who follows a child. */
export interface ChildFollower {
  /** How far it is, 0 to 100. */
  onPercent(percent: number): void;
  /** Called once. */
  onEnd(end: ChildEnd): void;
  /** Redis knows nothing of it: it came back without its last writes. */
  onLost(): void;
}

/** Follows child jobs the way the API's viewers do: by their channels. */
export interface ChildWatch extends Running {
  /** @returns what ends the following */
  follow(jobId: string, follower: ChildFollower): () => void;
}

export interface ChildWatchOptions {
  /** Opens the one connection for all children of this process. */
  connect: () => Redis;
  redis: Redis;
  read: Reader;
  prefix: string;
  sharded: boolean;
  lifecycle: Lifecycle;
  log: Logger;
}

/** Nothing is opened before the first child is followed: most workers never do. */
export function createChildWatch(options: ChildWatchOptions): ChildWatch {
  const { connect, redis, read, prefix, sharded, lifecycle, log } = options;
  const followers = new Map<string, Set<ChildFollower>>();
  let opened: { subscriber: Subscriber; connection: Redis; recheck: Running } | undefined;

  function open(): Subscriber {
    if (!opened) {
      const connection = connect();
      const subscriber = new Subscriber({
        redis: connection,
        read,
        prefix,
        sharded,
        onError: (error) => log.debug({ err: error }, 'could not subscribe; will again when Redis is back'),
      });
      const recheck = startRecheck(subscriber, redis, lifecycle, log, (jobId) => {
        for (const follower of followers.get(jobId) ?? []) follower.onLost();
      });
      opened = { subscriber, connection, recheck };
    }
    return opened.subscriber;
  }

  return {
    follow(jobId, follower) {
      const subscription = open().subscribe(jobChannel(jobId), new ChildSink(follower));
      const others = followers.get(jobId) ?? new Set();
      followers.set(jobId, others.add(follower));
      return () => {
        subscription.close();
        others.delete(follower);
        if (others.size === 0) followers.delete(jobId);
      };
    },
    async stop() {
      await opened?.recheck.stop();
      opened?.connection.disconnect();
    },
  };
}

const EVENT = /^event: (progress|completed|failed|cancelled)$/m;

/** Reads the frames of a child's channel: its percent, and what became of it. */
class ChildSink implements Sink {
  constructor(private readonly follower: ChildFollower) {}

  write(frame: Buffer): boolean {
    const text = frame.toString();
    const event = EVENT.exec(text)?.[1];
    if (!event) return true;
    const data = JSON.parse(/^data: (.*)$/m.exec(text)![1]!);
    if (event === 'progress') this.follower.onPercent(data.percent ?? 0);
    else this.follower.onEnd(endOf(event, data));
    return true;
  }

  /** The terminal frame has told it. */
  end(): void {}
}

function endOf(event: string, data: { result?: unknown; error?: JobError }): ChildEnd {
  if (event === 'completed') return { state: 'completed', result: data.result };
  if (event === 'failed') return { state: 'failed', error: data.error! };
  return { state: 'cancelled', error: CANCELLED };
}

/** The error of a child that was cancelled, whoever did it. */
export const CANCELLED: JobError = { message: 'was cancelled', code: 'cancelled' };
