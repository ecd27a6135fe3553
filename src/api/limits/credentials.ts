import { setTimeout as sleep } from 'node:timers/promises';
import type { Request } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { Config } from '../../shared/process/config.js';
import type { Limiter } from './limiter.js';
import type { RateTaking } from './rates.js';
import { refusal } from './refusal.js';

/** How many failed sign-ins of an address are answered without a delay. */
const UNDELAYED = 3;
/** The delay after the first failure that is delayed, in ms. Each further one takes twice as long, up to the longest. */
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 4000;

/** The result of comparing what may be the admin token. */
export interface Guess<T> {
  /** What the comparison has found; `undefined` if the guess is wrong, or was not compared. */
  found: T | undefined;
  /** Answers a failed sign-in: waits, and throws if the address has failed too often. @throws HeadwayError `rate-limited` */
  answer(): Promise<void>;
}

/** Limits how many credentials can be tried from one address. */
export interface CredentialLimits {
  /**
   * Compares a credential that may be the admin token. Failures count for the address, in all processes. An address with too
   * many failures is refused without a comparison, so that the answer does not reveal whether the guess is correct.
   * @param compare returns what the credential identifies; `undefined` if it is wrong
   * @param asked `unasked` for a credential that may be meant for another service: its failures count apart, so that they do
   *   not keep anybody from signing in. Defaults to `asked`
   */
  guess<T>(req: Request, compare: () => T | undefined, asked?: 'asked' | 'unasked'): Promise<Guess<T>>;
  /** Counts an invalid token. Returns the error of the request: `error`, or `rate-limited` if there were too many. */
  afterInvalid(req: Request, error: unknown): Promise<unknown>;
  /** Throws if too many invalid tokens came from the address of a request. @throws HeadwayError `rate-limited` */
  refuseKnown(req: Request): void;
}

const nothing = async (): Promise<void> => {};

export function createCredentialLimits(
  limiter: Limiter,
  { LIMIT_SIGN_INS, LIMIT_BAD_TOKENS }: Pick<Config, 'LIMIT_SIGN_INS' | 'LIMIT_BAD_TOKENS'>,
): CredentialLimits {
  /** By address: the failure that is being counted. Further guesses wait, so that a thousand at once are not all compared. */
  const counting = new Map<string, Promise<unknown>>();

  function takingOf(limit: 'sign-ins' | 'bad-tokens', req: Request): RateTaking | undefined {
    const who = limiter.address(req);
    const max = limit === 'sign-ins' ? LIMIT_SIGN_INS : LIMIT_BAD_TOKENS;
    return who === undefined || max === 0 ? undefined : { limit, who, max };
  }

  return {
    async guess(req, compare, asked = 'asked') {
      const signIns = takingOf('sign-ins', req);
      if (!signIns) return { found: compare(), answer: nothing };
      const taking = asked === 'asked' ? signIns : { ...signIns, who: `unasked:${signIns.who}` };
      const { limit, who, max } = taking;
      for (let other = counting.get(who); other; other = counting.get(who)) await other;
      const refused = (retryAfterMs: number) => ({
        found: undefined,
        answer: () => Promise.reject(refusal({ limit, max, retryAfterMs })),
      });
      const known = limiter.rates.refused(limit, who) ?? limiter.rates.refused(limit, signIns.who);
      if (known) return refused(known.retryAfterMs);
      const found = compare();
      if (found !== undefined) return { found, answer: nothing };
      const count = limiter.rates.take(taking).finally(() => counting.delete(who));
      counting.set(
        who,
        count.catch(() => {}),
      );
      const { allowed, remaining, retryAfterMs } = await count;
      if (!allowed) return refused(retryAfterMs);
      const delayed = max - remaining - UNDELAYED;
      const delayMs = delayed > 0 ? Math.min(FIRST_DELAY_MS * 2 ** (delayed - 1), LONGEST_DELAY_MS) : 0;
      return {
        found: undefined,
        async answer() {
          if (delayMs > 0) await sleep(delayMs);
        },
      };
    },
    async afterInvalid(req, error) {
      const taking = takingOf('bad-tokens', req);
      if (!taking || !(error instanceof HeadwayError) || error.code !== 'invalid-token') return error;
      const { allowed, retryAfterMs } = await limiter.rates.take(taking);
      return allowed ? error : refusal({ limit: taking.limit, max: taking.max, retryAfterMs });
    },
    refuseKnown(req) {
      const taking = takingOf('bad-tokens', req);
      if (taking) limiter.refuseKnown(taking);
    },
  };
}
