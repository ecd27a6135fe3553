import type { ChannelHub } from '../channel/hub.js';
import { jobChannel } from '../channel/keys.js';
import type { Publisher } from '../channel/publisher.js';
import type { RedisClient } from '../redis/client.js';
import { serverRun } from '../redis/server-run.js';
import { ended } from './events.js';
import type { PublishedState } from './published.js';

/** What a channel that does not exist has published. */
const NOTHING: PublishedState = { attempt: 0, rank: 0, failures: 0, stalls: 0, end: undefined };

/**
 * Ends the streams of a job that neither BullMQ nor a channel knows any more. If its viewers have seen its end, both have
 * expired. Otherwise Redis has lost both: the job ends as one that was removed, so that no viewer is left without an end. This
 * creates the channel anew: one event is published, however many processes have viewers, and viewers that come back find it.
 */
export function createLostJobEnder(
  hub: ChannelHub,
  publisher: Publisher,
  redis: RedisClient,
): (jobId: string) => Promise<void> {
  return async (jobId) => {
    const channel = jobChannel(jobId);
    if (hub.hasEnded(channel)) return hub.end(channel);
    const removed = { event: 'cancelled', data: { reason: 'removed' } } as const;
    const { event, fence } = ended(NOTHING, jobId, undefined, removed);
    await publisher.publish(channel, event, { ...fence, run: serverRun(redis) });
  };
}
