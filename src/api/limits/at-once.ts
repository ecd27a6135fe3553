import type { LimitedCaller } from './caller.js';
import type { CallerLimit } from './names.js';
import type { OpenCounts } from './open-counts.js';
import { refusal } from './refusal.js';

/** When to try again after a refusal, in ms. */
const RETRY_AFTER_MS = 10_000;

export type AtOnceLimit = Extract<CallerLimit, 'streams' | 'dashboards' | 'uploads'>;

export interface AtOnceOptions {
  counts: OpenCounts;
  max(limit: AtOnceLimit, caller: LimitedCaller): number | undefined;
  /** Maximum number of streams of one address; 0 for none. */
  maxStreamsOfAddress: number;
}

/** Limits how much callers have open at once, in all processes together. */
export interface AtOnce {
  /**
   * Counts one more of a caller.
   * @returns gives it back; may be called again
   * @throws HeadwayError `quota-exceeded` if the caller has as many as it may
   */
  hold(limit: AtOnceLimit, caller: LimitedCaller): () => void;
  /**
   * Counts a stream of an address, whoever the caller is.
   * @param address from `Callers.address`
   */
  holdStreamOf(address: string): () => void;
}

export function createAtOnce({ counts, max, maxStreamsOfAddress }: AtOnceOptions): AtOnce {
  function holdNamed(name: string, limit: AtOnceLimit, most: number, detail?: string): () => void {
    if (counts.of(name) >= most) throw refusal({ limit, max: most, retryAfterMs: RETRY_AFTER_MS, detail });
    counts.add(name);
    let held = true;
    return () => {
      if (held) counts.remove(name);
      held = false;
    };
  }
  return {
    hold(limit, caller) {
      const most = max(limit, caller);
      return most === undefined ? nothing : holdNamed(`${limit} ${caller.who}`, limit, most);
    },
    holdStreamOf(address) {
      if (maxStreamsOfAddress === 0) return nothing;
      const detail = `Too many open streams from this address: the limit is ${maxStreamsOfAddress}. Try again in 10 seconds.`;
      return holdNamed(`streams of ${address}`, 'streams', maxStreamsOfAddress, detail);
    },
  };
}

const nothing = (): void => {};
