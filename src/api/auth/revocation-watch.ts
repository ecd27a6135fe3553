import type { Keyspace } from '../../shared/keyspace.js';
import type { Logger } from '../../shared/process/log.js';
import { broadcast, watchControl } from '../../shared/redis/broadcast.js';
import type { RedisClient } from '../../shared/redis/client.js';
import type { Subscriber } from '../../shared/redis/subscriber.js';
import type { Revoked } from './revocations.js';

const VERB = 'revoked';

/** Notifies every API process of a revocation, so that it ends the streams of revoked credentials. */
export const publishRevocation = (redis: RedisClient, keyspace: Keyspace, revoked: Revoked): Promise<void> =>
  broadcast(redis, keyspace, VERB, JSON.stringify(revoked));

/** Open streams that end when the credentials of their viewers are revoked. */
export interface RevocableStreams {
  /**
   * Ends the streams of viewers whose credentials have been revoked.
   * @param revoked checks only the viewers with this credential; all viewers by default
   */
  recheck(revoked?: Revoked): Promise<void>;
}

export interface RevocationWatchOptions {
  /** A connection for Pub/Sub; it may be shared. */
  redis: Subscriber;
  keyspace: Keyspace;
  streams: readonly RevocableStreams[];
  log: Logger;
}

/** Ends streams whose token or API key is revoked while they are open. */
export function watchRevocations({ redis, keyspace, streams, log }: RevocationWatchOptions): void {
  const recheck = (revoked?: Revoked): void => {
    Promise.all(streams.map((each) => each.recheck(revoked)))
      // When Redis is back, all streams are checked.
      .catch((error) => log.debug({ err: error }, 'could not check for revoked credentials'));
  };
  watchControl({
    redis,
    keyspace,
    verb: VERB,
    onMessage: (about) => recheck(JSON.parse(about) as Revoked),
    onGap: () => recheck(),
    log,
  });
}
