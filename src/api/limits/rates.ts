import type { Keyspace } from '../../shared/keyspace.js';
import { oncePerTurn } from '../../shared/process/once-per-turn.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { isRedisFault } from '../../shared/redis/faults.js';
import { passReplies, type Waiting } from '../../shared/redis/replies.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { BoundedMap } from './bounded-map.js';
import { type Taken, type Taking, takeFrom } from './bucket.js';
import { LIMITS, type RateName } from './names.js';
import { limitScripts } from './scripts.js';

/** The maximum number of takings in one call. Redis does nothing else during a script. */
const AT_ONCE = 200;
/** How long Redis has to answer, in ms. After that, the process limits on its own. */
const PATIENCE_MS = 500;
/** How long a process remembers a refusal if another process may have given units back, in ms. */
const DOUBTFUL_MS = 1000;
/** How many callers a process remembers. */
const REMEMBERED = 20_000;

/** Units that a caller takes from its share of a rate. */
export interface RateTaking {
  limit: RateName;
  /** Whose units these are: `who` or `address` of a `LimitedCaller`. */
  who: string;
  max: number;
  /** A negative number gives units back. May be a fraction. Defaults to 1. */
  units?: number;
}

/** Counts what callers take from their rates, in Redis, so that all processes share the counts. */
export interface Rates {
  /**
   * Takes units from a rate. The takings of one turn of the event loop share a call to Redis. A caller that was refused is
   * refused by this process without asking Redis, until its time has come or units may have been given back. While Redis does not answer, each process counts on
   * its own, so the limit holds for each process. Never rejects because of Redis.
   */
  take(taking: RateTaking): Promise<Taken>;
  /** Returns the refusal that this process remembers for a caller, without asking Redis. */
  refused(limit: RateName, who: string, units?: number): Taken | undefined;
}

interface Pending extends Waiting<Taken> {
  key: string;
  taking: Taking;
}

export function createRates(redis: RedisClient, keyspace: Keyspace): Rates {
  const scripts = scriptsOf(redis, limitScripts);
  /**
   * The newest refusals: until when they are in force, and until when Redis need not be asked again, in ms of the monotonic clock;
   * and of how many units.
   */
  const refusals = new BoundedMap<{ until: number; askAt: number; units: number; resetAt: number }>(
    REMEMBERED,
  );
  /** The buckets of this process, for the time in which Redis does not answer: when they are full again. */
  const local = new BoundedMap<number>(REMEMBERED);

  const keyOf = (limit: RateName, who: string): string => `${keyspace.prefix}:{limits}:${limit}:${who}`;

  const send = oncePerTurn((pending: Pending[]) => {
    for (let i = 0; i < pending.length; i += AT_ONCE) void call(pending.slice(i, i + AT_ONCE));
  });

  async function call(pending: Pending[]): Promise<void> {
    const args = pending.flatMap(({ taking: { units, max, windowMs } }) => [units, max, windowMs]);
    await passReplies(pending, async () => {
      const numbers = await withinPatience(
        scripts.takeUnits(pending.length, ...pending.map(({ key }) => key), ...args),
      );
      return pending.map((_, i) => {
        const [allowed, remaining = 0, retryAfterMs = 0, resetMs = 0] = numbers.slice(4 * i, 4 * i + 4);
        return { allowed: allowed === 1, remaining, retryAfterMs, resetMs };
      });
    });
  }

  function takeLocally(key: string, taking: Taking): Taken {
    const { fullAt, ...taken } = takeFrom(local.get(key) ?? 0, performance.now(), taking);
    local.set(key, fullAt);
    return taken;
  }

  async function takeFromRedis(key: string, taking: Taking): Promise<Taken> {
    if (redis.status !== 'ready') return takeLocally(key, taking);
    try {
      return await new Promise<Taken>((resolve, reject) => send({ key, taking, resolve, reject }));
    } catch (error) {
      if (error !== SLOW && !isRedisFault(error)) throw error;
      return takeLocally(key, taking);
    }
  }

  function refusedKey(key: string, units: number): Taken | undefined {
    const known = refusals.get(key);
    if (!known) return undefined;
    const now = performance.now();
    if (known.askAt <= now) refusals.delete(key);
    else if (units >= known.units) {
      const retryAfterMs = Math.ceil(known.until - now);
      return { allowed: false, remaining: 0, retryAfterMs, resetMs: Math.ceil(known.resetAt - now) };
    }
    return undefined;
  }

  return {
    async take({ limit, who, max, units = 1 }) {
      const key = keyOf(limit, who);
      const remembered = refusedKey(key, units);
      if (remembered) return remembered;
      const { windowMs, givenBack }: { windowMs: number; givenBack?: boolean } = LIMITS[limit];
      const taken = await takeFromRedis(key, { units, max, windowMs });
      if (units < 0) refusals.delete(key);
      if (!taken.allowed) {
        const now = performance.now();
        const until = now + taken.retryAfterMs;
        const askAt = givenBack ? Math.min(until, now + DOUBTFUL_MS) : until;
        refusals.set(key, { until, askAt, units, resetAt: now + taken.resetMs });
      }
      return taken;
    },
    refused: (limit, who, units = 1) => refusedKey(keyOf(limit, who), units),
  };
}

/** Redis did not answer in time. */
const SLOW = new Error('Redis did not answer in time');

async function withinPatience<T>(call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  // A late answer is ignored.
  call.catch(() => {});
  const slow = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(SLOW), PATIENCE_MS);
  });
  return Promise.race([call, slow]).finally(() => clearTimeout(timer));
}
