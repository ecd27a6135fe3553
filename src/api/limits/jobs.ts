import type { HeadwayError } from '../../shared/errors.js';
import { indexKeys, scopeOf } from '../../shared/job-index/keys.js';
import type { Keyspace } from '../../shared/keyspace.js';
import { oncePerTurn } from '../../shared/process/once-per-turn.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { passReplies, type Waiting } from '../../shared/redis/replies.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import type { LimitedCaller } from './caller.js';
import type { Limiter } from './limiter.js';
import { createOtherShardsReader } from './other-shards.js';
import { refusal } from './refusal.js';
import { limitScripts } from './scripts.js';

/** When a caller with too many jobs should try again, in ms. Nobody knows when one of the jobs will end. */
const RETRY_AFTER_MS = 5000;

/** A job that is about to be queued. */
export interface JobToReserve {
  id: string;
  /** The key of BullMQ's that exists if the job is a duplicate of an unfinished one. */
  duplicateKey?: string | undefined;
}

/** Room that a caller needs for jobs. */
export interface Reservation {
  caller: LimitedCaller;
  /** The owner of the jobs. */
  owner: string;
  jobs: JobToReserve[];
  /** Whether the jobs have finished and are queued again. Defaults to `false`. */
  retry?: boolean;
}

/** Limits the unfinished and the active jobs of each caller. */
export interface JobLimits {
  /**
   * Reserves room for all jobs, or for none. Resolves when they may be queued.
   * @throws HeadwayError `quota-exceeded`
   */
  reserve(reservation: Reservation): Promise<void>;
  /** Reserves room for as many jobs as possible. @returns for each job whether it may be queued, or the error */
  reserveEach(reservation: Reservation): Promise<Array<HeadwayError | undefined>>;
  /** Gives back the room for a job that turned out to be a duplicate. */
  release(reservation: Reservation): void;
}

interface Pending extends Waiting<[unfinished: number, active: number, allowed: string]> {
  set: string;
  args: Array<string | number>;
}

export function createJobLimits(
  redis: RedisClient,
  keyspace: Keyspace,
  limiter: Pick<Limiter, 'max'>,
): JobLimits {
  const { records, sets } = indexKeys(keyspace);
  const scripts = scriptsOf(redis, limitScripts);
  const readOthers = createOtherShardsReader(redis, keyspace);

  // All reservations of a turn of the event loop share a call, so that they cannot be interleaved with those of others.
  const send = oncePerTurn((pending: Pending[]) => {
    const args = pending.flatMap((each) => [each.args.length, ...each.args]);
    void passReplies(pending, () =>
      scripts.reserveJobs(1 + pending.length, records, ...pending.map(({ set }) => set), sets, ...args),
    );
  });

  /** The set of a caller. Only the address counts for an anonymous caller, because each cookie makes another visitor. */
  const setOf = ({ caller, owner }: Reservation): string =>
    `${keyspace.queuePrefix}.starts:${caller.kind === 'anonymous' ? caller.who : scopeOf(owner)}`;

  /** Returns for each job whether there is room, and the error if there is not enough. */
  async function ask(reservation: Reservation, mode: 'all' | 'each') {
    const { caller, owner, jobs, retry } = reservation;
    const maxJobs = limiter.max('jobs', caller) ?? 0;
    const maxActive = limiter.max('active-jobs', caller) ?? 0;
    if (jobs.length === 0 || (maxJobs === 0 && maxActive === 0)) return undefined;
    const scope = caller.kind === 'anonymous' ? '' : scopeOf(owner);
    const set = setOf(reservation);
    const others = keyspace.shards.known > 1 ? JSON.stringify(await readOthers(set, scope, jobs)) : '';
    const ofJobs = jobs.flatMap(({ id, duplicateKey = '' }) => [id, duplicateKey]);
    const args = [scope, maxJobs, maxActive, mode, retry ? 'retry' : 'start', others, ...ofJobs];
    const [unfinished, active, allowed] = await new Promise<[number, number, string]>((resolve, reject) =>
      send({ set, args, resolve, reject }),
    );
    const refused = jobs.filter((_, i) => allowed[i] !== '1').length;
    return {
      allowed,
      error: () => refusalOf({ maxJobs, maxActive, unfinished, active, asked: jobs.length, refused }),
    };
  }

  return {
    async reserve(reservation) {
      const answer = await ask(reservation, 'all');
      if (answer?.allowed.includes('0')) throw answer.error();
    },
    async reserveEach(reservation) {
      const answer = await ask(reservation, 'each');
      return reservation.jobs.map((_, i) =>
        answer && answer.allowed[i] !== '1' ? answer.error() : undefined,
      );
    },
    release(reservation) {
      if (reservation.caller.exempt) return;
      // An entry that stays is removed after 30 seconds.
      redis.zrem(setOf(reservation), ...reservation.jobs.map(({ id }) => id)).catch(() => {});
    },
  };
}

interface Reached {
  maxJobs: number;
  maxActive: number;
  unfinished: number;
  active: number;
  asked: number;
  refused: number;
}

function refusalOf({ maxJobs, maxActive, unfinished, active, asked, refused }: Reached): HeadwayError {
  const retryAfterMs = RETRY_AFTER_MS;
  if (maxActive > 0 && active >= maxActive) {
    const detail = `${active} of your jobs are active, and the limit is ${maxActive}. Start more when one has ended.`;
    return refusal({ limit: 'active-jobs', max: maxActive, retryAfterMs, detail });
  }
  const more = asked > 1 ? ` There is no room for ${refused} of these ${asked}.` : '';
  const detail = `You have ${unfinished} unfinished jobs, and the limit is ${maxJobs}.${more} Start more when one has ended, or cancel some.`;
  return refusal({ limit: 'jobs', max: maxJobs, retryAfterMs, detail });
}
