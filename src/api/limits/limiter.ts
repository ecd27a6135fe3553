import type { Response } from 'express';
import type { Keyspace } from '../../shared/keyspace.js';
import type { Config } from '../../shared/process/config.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { type AtOnce, createAtOnce } from './at-once.js';
import { type Callers, createCallers, type LimitedCaller, type Maxima, maxFor, maximaOf } from './caller.js';
import { type CallerLimit, OPENS_PER_STREAM, type RateName } from './names.js';
import type { OpenCounts } from './open-counts.js';
import { createRates, type Rates, type RateTaking } from './rates.js';
import { refusal, setLimitHeaders } from './refusal.js';
import { createStreamOpens, type StreamOpens } from './stream-opens.js';

/** Limits what callers use. */
export interface Limiter extends Callers {
  /** Returns the maximum of a limit for a caller; `undefined` if there is none. */
  max(limit: CallerLimit, caller: LimitedCaller): number | undefined;
  /**
   * Takes units of a rate, and adds the rate to the headers of the response.
   * @throws HeadwayError `rate-limited` if there are not enough units left
   */
  take(taking: RateTaking, res?: Response): Promise<void>;
  /** Throws if this process remembers that a caller was refused, without asking Redis. @throws HeadwayError `rate-limited` */
  refuseKnown(taking: RateTaking): void;
  rates: Rates;
  /** Limits how much callers have open at once. */
  atOnce: AtOnce;
  /** Limits how often callers open streams. */
  streamOpens: StreamOpens;
}

/** @param production whether the process runs with `NODE_ENV=production` */
export function createLimiter(
  redis: RedisClient,
  keyspace: Keyspace,
  config: Config,
  production: boolean,
  counts: OpenCounts,
): Limiter {
  const { LIMIT_LOOPBACK, LIMIT_STREAMS_ADDRESS, LIMIT_STREAM_OPENS_ADDRESS: opens } = config;
  const callers = createCallers(LIMIT_LOOPBACK !== 'auto' ? LIMIT_LOOPBACK : production ? 'on' : 'generous');
  const rates = createRates(redis, keyspace);
  const maxima: Maxima = maximaOf(config);
  const refuse = (limit: RateName, max: number, retryAfterMs: number) =>
    refusal({ limit, max, retryAfterMs });
  const max: Limiter['max'] = (limit, of) => maxFor(maxima, limit, of);
  return {
    ...callers,
    max,
    atOnce: createAtOnce({ counts, max, maxStreamsOfAddress: LIMIT_STREAMS_ADDRESS }),
    streamOpens: createStreamOpens({
      counts,
      max,
      maxOfAddress: opens === '' ? OPENS_PER_STREAM * LIMIT_STREAMS_ADDRESS : opens,
    }),
    async take(taking, res) {
      const { limit, max } = taking;
      const { allowed, remaining, retryAfterMs, resetMs } = await rates.take(taking);
      if (!allowed) throw refuse(limit, max, retryAfterMs);
      if (res && !res.headersSent) setLimitHeaders(res, { limit, max, remaining, resetMs });
    },
    refuseKnown({ limit, who, max, units }) {
      const refused = rates.refused(limit, who, units);
      if (refused) throw refuse(limit, max, refused.retryAfterMs);
    },
    rates,
  };
}
