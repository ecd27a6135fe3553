import { ChannelHub } from '../../../shared/channel/hub.js';
import { jobChannel } from '../../../shared/channel/keys.js';
import type { Reader } from '../../../shared/channel/reader.js';
import type { Sink } from '../../../shared/channel/subscription.js';
import type { JobError } from '../../../shared/errors.js';
import { parseForeign } from '../../../shared/jobs/foreign-json.js';
import type { Keyspace } from '../../../shared/keyspace.js';
import type { JobFaults } from '../../../shared/lifecycle/job-faults.js';
import { startRecheck } from '../../../shared/lifecycle/recheck.js';
import type { Reconciler } from '../../../shared/lifecycle/reconcile.js';
import type { Logger } from '../../../shared/process/log.js';
import type { Service } from '../../../shared/process/service.js';
import type { RedisClient } from '../../../shared/redis/client.js';
import type { Subscriber } from '../../../shared/redis/subscriber.js';
import { currentRun } from '../run.js';

/** How a child ended. */
export type ChildEnd =
  | { state: 'completed'; result: unknown }
  | { state: 'failed' | 'cancelled'; error: JobError };

/** Callbacks about a child. */
export interface ChildFollower {
  /** Called with the progress of the child, 0 to 100. */
  onPercent(percent: number): void;
  /** Called once, when the child has ended. */
  onEnd(end: ChildEnd): void;
  /** Called when Redis has lost the child, because it restarted without its last writes. */
  onLost(): void;
}

/** Follows child jobs by their channels, like viewers of the API. */
export interface ChildWatch extends Service {
  /** @returns a function that stops following */
  follow(jobId: string, follower: ChildFollower): () => void;
}

export interface ChildWatchOptions {
  /** Opens the connection for all children of this process. */
  connect: () => Subscriber;
  redis: RedisClient;
  read: Reader;
  keyspace: Keyspace;
  sharded: boolean;
  reconciler: Reconciler;
  faults: JobFaults;
  log: Logger;
}

/** Creates the watch. It opens its connection for the first child, because most workers have none. */
export function createChildWatch(options: ChildWatchOptions): ChildWatch {
  const { connect, redis, read, keyspace, sharded, reconciler, faults, log } = options;
  const followers = new Map<string, Set<ChildFollower>>();
  let opened: { hub: ChannelHub; connection: Subscriber; recheck: Service } | undefined;

  function open(): ChannelHub {
    if (!opened) {
      const connection = connect();
      const hub = new ChannelHub({
        redis: connection,
        read,
        keyspace,
        sharded,
        onError: (error) => log.debug({ err: error }, 'could not subscribe; retrying when Redis is back'),
      });
      const onLost = (jobId: string): void => {
        for (const follower of followers.get(jobId) ?? []) follower.onLost();
      };
      const recheck = startRecheck(hub, redis, reconciler, log, onLost, faults);
      opened = { hub, connection, recheck };
    }
    return opened.hub;
  }

  return {
    follow(jobId, follower) {
      // Outside the current run, because the connection serves all runs.
      const subscription = currentRun.exit(open).subscribe(jobChannel(jobId), new ChildSink(follower));
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

/**
 * Reads the progress and the end of a child from the frames of its channel. Never throws, whatever a frame contains: an
 * error here would end the process and all its jobs.
 */
class ChildSink implements Sink {
  constructor(private readonly follower: ChildFollower) {}

  write(frame: Buffer): boolean {
    const text = frame.toString();
    const event = EVENT.exec(text)?.[1];
    if (!event) return true;
    const data = (parseForeign(/^data: (.*)$/m.exec(text)?.[1]) ?? {}) as FrameData;
    if (event !== 'progress') this.follower.onEnd(endOf(event, data));
    else if (typeof data.percent === 'number') this.follower.onPercent(data.percent);
    return true;
  }

  /** The terminal event has been handled in `write`. */
  end(): void {}
}

/** The fields that are read from the data of a frame. */
interface FrameData {
  percent?: unknown;
  result?: unknown;
  error?: Partial<JobError>;
}

function endOf(event: string, data: FrameData): ChildEnd {
  if (event === 'completed') return { state: 'completed', result: data.result ?? null };
  if (event === 'failed') return { state: 'failed', error: { message: 'unknown error', ...data.error } };
  return { state: 'cancelled', error: CANCELLED };
}

/** The error of a cancelled child. */
export const CANCELLED: JobError = { message: 'was cancelled', code: 'cancelled' };
