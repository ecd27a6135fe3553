import type { Redis } from 'ioredis';
import { controlChannel } from '../shared/lifecycle/withdraw.js';
import type { Logger } from '../shared/log.js';

export interface CommandsOptions {
  /** A connection of its own. */
  redis: Redis;
  prefix: string;
  /** Somebody wants the end of a job, which may run here or not. */
  onCancel: (jobId: string) => void;
  /** Commands may have been missed: look for oneself. */
  onGap: () => Promise<void>;
  log: Logger;
}

/** Listens for what workers are told. */
export function listenForCommands({ redis, prefix, onCancel, onGap, log }: CommandsOptions): void {
  redis.on('message', (_channel, message) => {
    const [verb, jobId] = message.split(' ');
    if (verb === 'cancel' && jobId) onCancel(jobId);
  });
  const subscribe = (): void => {
    redis
      .subscribe(controlChannel(prefix))
      .then(onGap)
      .catch((error) => log.debug({ err: error }, 'could not listen for commands'));
  };
  redis.on('ready', subscribe);
  if (redis.status === 'ready') subscribe();
}
