import type { Redis } from 'ioredis';
import type { Logger } from '../log.js';
import { controlChannel } from './withdraw.js';

export interface QueueWatchOptions {
  /** A connection for Pub/Sub; others may use it too. */
  redis: Redis;
  prefix: string;
  /** A queue was paused or resumed, by whomever. */
  onChange: (queue: string) => void;
  /** Messages may have been missed: look for oneself. */
  onGap: () => void;
  log: Logger;
}

const VERB = 'queue';

/** Tells every API process that a queue was paused or resumed, so that it looks at the jobs that are watched there. */
export async function tellQueueChanged(redis: Redis, prefix: string, queue: string): Promise<void> {
  await redis.publish(controlChannel(prefix), `${VERB} ${queue}`);
}

/** Listens for queues that are paused or resumed. */
export function watchQueues({ redis, prefix, onChange, onGap, log }: QueueWatchOptions): void {
  const channel = controlChannel(prefix);
  // As bytes: where Pub/Sub is not sharded, the frames of all channels pass here too.
  const bytes = Buffer.from(channel);
  redis.on('messageBuffer', (from: Buffer, message: Buffer) => {
    if (!bytes.equals(from)) return;
    const [verb, queue] = message.toString().split(' ');
    if (verb === VERB && queue) onChange(queue);
  });
  const subscribe = (): void => {
    redis
      .subscribe(channel)
      .then(onGap)
      .catch((error) => log.debug({ err: error }, 'could not listen for paused queues'));
  };
  redis.on('ready', subscribe);
  if (redis.status === 'ready') subscribe();
}
