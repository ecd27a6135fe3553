import type { ChannelHub } from '../channel/hub.js';
import { jobChannel } from '../channel/keys.js';
import type { Publisher } from '../channel/publisher.js';
import { isIdOfStart } from '../jobs/queues.js';
import type { RedisClient } from '../redis/client.js';
import { serverRun } from '../redis/server-run.js';
import { ended } from './events.js';
import type { PublishedState } from './published.js';

/** How long a lost job may take to be started again, in ms: its parent notices the loss within 30 s. */
const GRACE_MS = 60_000;
/** What a channel that does not exist has published. */
const NOTHING: PublishedState = { attempt: 0, rank: 0, failures: 0, stalls: 0, end: undefined };

/**
 * Ends the streams of a job that neither BullMQ nor a channel knows any more. If its viewers have seen its end, both have
 * expired. Otherwise Redis has lost both: the job ends as one that was removed, so that no viewer is left without an end. This
 * creates the channel anew: one event is published, however many processes have viewers, and viewers that come back find it.
 *
 * A child and a run of a schedule are started again under the same id, so their viewers wait for that first.
 */
export function createLostJobEnder(
  hub: ChannelHub,
  publisher: Publisher,
  redis: RedisClient,
  graceMs = GRACE_MS,
): (jobId: string) => Promise<void> {
  /** When a job that is started again was found to be lost, and was so the last time, in ms of the monotonic clock. */
  const lost = new Map<string, { since: number; seen: number }>();

  function mayStartAgain(jobId: string): boolean {
    if (isIdOfStart(jobId)) return false;
    const now = performance.now();
    // A job that was started again meanwhile has been lost anew.
    for (const [known, { seen }] of lost) if (now - seen > 2 * graceMs) lost.delete(known);
    const since = lost.get(jobId)?.since ?? now;
    lost.set(jobId, { since, seen: now });
    return now - since < graceMs;
  }

  return async (jobId) => {
    const channel = jobChannel(jobId);
    if (hub.hasEnded(channel)) return hub.end(channel);
    if (mayStartAgain(jobId)) return;
    const removed = { event: 'cancelled', data: { reason: 'removed' } } as const;
    const { event, fence } = ended(NOTHING, jobId, undefined, removed);
    await publisher.publish(channel, event, { ...fence, run: serverRun(redis) });
    lost.delete(jobId);
  };
}
