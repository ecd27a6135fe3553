import type { Response } from 'express';
import type { LimitedCaller } from './caller.js';
import { OPENS_PER_STREAM } from './names.js';
import type { OpenCounts } from './open-counts.js';
import { type Recent, WINDOW_MS } from './recent-counts.js';
import { refusal, setLimitHeaders } from './refusal.js';

/** The same as {@link OPENS_PER_STREAM} for dashboards and overviews. Each change of a filter opens another one. */
const OPENS_PER_DASHBOARD = 30;

/** What the shares of a minute may lack because numbers are rounded. */
const ROUNDING = 1e-6;

type Limit = 'stream-opens' | 'dashboard-opens';

export interface StreamOpensOptions {
  counts: Pick<OpenCounts, 'recent' | 'note'>;
  max(limit: 'stream-opens' | 'streams' | 'dashboards', caller: LimitedCaller): number | undefined;
  /** Maximum number of streams that an address opens in a minute; 0 for none. */
  maxOfAddress: number;
}

/**
 * Limits how often streams are opened, in all processes together. The number of open ones does not limit a caller that opens and
 * closes them. Counting needs no round trip.
 */
export interface StreamOpens {
  /**
   * Counts a stream of an address, whoever the caller is.
   * @param address from `Callers.address`
   * @throws HeadwayError `rate-limited`
   */
  countOf(address: string): void;
  /**
   * Counts a stream of a caller, and adds the limit to the headers of the response.
   * @throws HeadwayError `rate-limited`
   */
  count(of: 'streams' | 'dashboards', caller: LimitedCaller, res: Response): void;
}

export function createStreamOpens({ counts, max, maxOfAddress }: StreamOpensOptions): StreamOpens {
  function take(limit: Limit, who: string, most: number, res?: Response): void {
    const name = `${limit} ${who}`;
    const recent = counts.recent(name);
    const left = most - estimateOf(recent) + ROUNDING;
    if (left < 1) throw refusal({ limit, max: most, retryAfterMs: waitMs(recent, most) });
    counts.note(name, most);
    if (!res || res.headersSent) return;
    // What is opened now counts until the end of the next minute.
    const resetMs = (2 - recent.elapsed) * WINDOW_MS;
    setLimitHeaders(res, { limit, max: most, remaining: Math.floor(left - 1), resetMs });
  }

  function maxOf(limit: Limit, caller: LimitedCaller): number | undefined {
    if (limit === 'dashboard-opens') return times(OPENS_PER_DASHBOARD, max('dashboards', caller));
    const { own } = caller;
    // The setting does not fit an API key with a number of streams of its own.
    const isDerived = own.streams !== undefined && own['stream-opens'] === undefined;
    return isDerived ? times(OPENS_PER_STREAM, max('streams', caller)) : max('stream-opens', caller);
  }

  return {
    countOf(address) {
      // Not the name of an anonymous caller of this address, whose streams have their own limit.
      if (maxOfAddress > 0) take('stream-opens', `all of ${address}`, maxOfAddress);
    },
    count(of, caller, res) {
      const limit = of === 'streams' ? 'stream-opens' : 'dashboard-opens';
      const most = maxOf(limit, caller);
      if (most !== undefined) take(limit, caller.who, most, res);
    },
  };
}

const times = (factor: number, count: number | undefined): number | undefined =>
  count === undefined ? undefined : factor * count;

/** Estimates how often something has happened in the last minute: the previous minute counts as far as it is in the window. */
const estimateOf = ({ present, previous, elapsed }: Recent): number => present + previous * (1 - elapsed);

/** Returns when one more is allowed, in ms, if nothing else happens. */
function waitMs({ present, previous, elapsed }: Recent, most: number): number {
  /** How much of a minute must have passed until there is room beside what counts in full. */
  const until = (before: number, inFull: number): number => 1 - (most - 1 - inFull) / before;
  const minutes =
    present + 1 <= most ? until(previous, present) - elapsed : 1 - elapsed + Math.max(0, until(present, 0));
  return Math.ceil(minutes * WINDOW_MS);
}
