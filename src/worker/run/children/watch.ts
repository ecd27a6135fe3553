import type { Redis } from 'ioredis';
import { ChannelHub } from '../../../shared/channel/hub.js';
import { jobChannel } from '../../../shared/channel/keys.js';
import type { Reader } from '../../../shared/channel/reader.js';
import type { Sink } from '../../../shared/channel/subscription.js';
import type { JobError } from '../../../shared/errors.js';
import { parseForeign } from '../../../shared/jobs/foreign-json.js';
import type { JobFaults } from '../../../shared/lifecycle/job-faults.js';
import { startRecheck } from '../../../shared/lifecycle/recheck.js';
import type { Reconciler } from '../../../shared/lifecycle/reconcile.js';
import type { Logger } from '../../../shared/process/log.js';
import type { Service } from '../../../shared/process/service.js';
import { currentRun } from '../run.js';

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
export interface ChildWatch extends Service {
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
  reconciler: Reconciler;
  faults: JobFaults;
  log: Logger;
}

/** Nothing is opened before the first child is followed: most workers never do. */
export function createChildWatch(options: ChildWatchOptions): ChildWatch {
  const { connect, redis, read, prefix, sharded, reconciler, faults, log } = options;
  const followers = new Map<string, Set<ChildFollower>>();
  let opened: { hub: ChannelHub; connection: Redis; recheck: Service } | undefined;

  function open(): ChannelHub {
    if (!opened) {
      const connection = connect();
      const hub = new ChannelHub({
        redis: connection,
        read,
        prefix,
        sharded,
        onError: (error) => log.debug({ err: error }, 'could not subscribe; will again when Redis is back'),
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
      // It is for all runs, though one of them is the first to need it.
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
 * Reads the frames of a child's channel: its percent, and what became of it. It never throws, whatever a frame holds:
 * an error here would end the process, and with it the jobs of others.
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

  /** The terminal frame has told it. */
  end(): void {}
}

/** What is read of the data of a frame. */
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

/** The error of a child that was cancelled, whoever did it. */
export const CANCELLED: JobError = { message: 'was cancelled', code: 'cancelled' };
