import type { Redis } from 'ioredis';
import type { Logger } from '../../shared/process/log.js';
import { broadcast, watchControl } from '../../shared/redis/broadcast.js';
import type { Credential } from './credential.js';
import type { Revocations, Revoked } from './revocations.js';

const VERB = 'revoked';

/** Tells every API process what was revoked, so that it looks at the streams that rest on it. */
export const publishRevocation = (redis: Redis, prefix: string, revoked: Revoked): Promise<void> =>
  broadcast(redis, prefix, VERB, JSON.stringify(revoked));

/** Those who hold streams here. */
export interface Audience {
  /** Looks again whether those may stay whose permission rests on what was revoked; all, when it is not said. */
  recheck(isRevoked: (credential: Credential) => Promise<boolean>, revoked?: Revoked): Promise<void>;
  /** Ends every stream; the viewers reconnect, to another process. */
  close(): void;
}

export interface RevocationWatchOptions {
  /** A connection for Pub/Sub; others may use it too. */
  redis: Redis;
  prefix: string;
  audiences: Audience[];
  revocations: Revocations;
  log: Logger;
}

/** Ends the streams of those whose token or key is revoked while they are open. */
export function watchRevocations({
  redis,
  prefix,
  audiences,
  revocations,
  log,
}: RevocationWatchOptions): void {
  const look = (revoked?: Revoked): void => {
    Promise.all(audiences.map((audience) => audience.recheck(revocations.isRevoked, revoked)))
      // Redis is away: when it is back, we look again.
      .catch((error) => log.debug({ err: error }, 'could not look for revoked tokens'));
  };
  watchControl({
    redis,
    prefix,
    verb: VERB,
    onMessage: (about) => look(JSON.parse(about) as Revoked),
    onGap: () => look(),
    log,
  });
}
