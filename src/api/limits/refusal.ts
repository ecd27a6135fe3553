import type { Response } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import { LIMITS, type LimitName } from './names.js';

/** A limit that a caller has reached. */
export interface Refusal {
  limit: LimitName;
  max: number;
  /** When the same request may succeed, in ms from now. */
  retryAfterMs: number;
  /** What is wrong and what to do. Defaults to a sentence about the limit. */
  detail?: string | undefined;
}

/**
 * Creates the error for a caller that has reached a limit: `rate-limited` for a rate, `quota-exceeded` for a number at a time.
 * It has the members `limit` (a name of {@link LIMITS}), `max` and `retryAfterMs`, from which the headers are made.
 */
export function refusal({ limit, max, retryAfterMs, detail }: Refusal): HeadwayError {
  const { of, ...kind } = LIMITS[limit];
  const isRate = 'windowMs' in kind;
  const window = isRate ? ` in ${timeText(kind.windowMs)}` : '';
  const again = `Try again in ${timeText(Math.ceil(retryAfterMs / 1000) * 1000)}.`;
  return new HeadwayError(
    isRate ? 'rate-limited' : 'quota-exceeded',
    detail ?? `Too many ${of}: the limit is ${max}${window}. ${again}`,
    undefined,
    { members: { limit, max, retryAfterMs: Math.ceil(retryAfterMs) } },
  );
}

function timeText(ms: number): string {
  const [count, unit] = ms % 60_000 === 0 && ms > 0 ? [ms / 60_000, 'minute'] : [ms / 1000, 'second'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** The state of a limit, for the headers of a response. */
export interface LimitState {
  limit: LimitName;
  max: number;
  remaining: number;
  /** When the whole quota is available again or, if nothing remains, when to try again; in ms from now. */
  resetMs?: number | undefined;
}

/**
 * Adds a limit to the headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11): lists of
 * Structured Fields (RFC 9651), with one item for each limit.
 */
export function setLimitHeaders(res: Response, { limit, max, remaining, resetMs }: LimitState): void {
  const { windowMs } = LIMITS[limit] as { windowMs?: number };
  const window = windowMs === undefined ? '' : `;w=${windowMs / 1000}`;
  const reset = resetMs === undefined ? '' : `;t=${Math.ceil(resetMs / 1000)}`;
  addItem(res, 'RateLimit-Policy', limit, `;q=${max}${window}`);
  addItem(res, 'RateLimit', limit, `;r=${remaining}${reset}`);
}

/** Adds an item to a list, or replaces the one of the same limit. */
function addItem(res: Response, header: string, limit: string, parameters: string): void {
  const name = `"${limit}"`;
  const present = String(res.get(header) ?? '');
  const others = present.split(', ').filter((item) => item !== '' && !item.startsWith(`${name};`));
  res.set(header, [...others, name + parameters].join(', '));
}

/** The part of an error that says which limit refused a request. */
export type Refusable = Pick<HeadwayError, 'members'>;

/** Sets `Retry-After`, and the headers of the limit, if an error is a {@link refusal}. */
export function setRefusalHeaders(res: Response, { members }: Refusable): void {
  const { limit, max, retryAfterMs } = members as Partial<Refusal>;
  if (retryAfterMs === undefined) return;
  res.set('Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  if (limit !== undefined && max !== undefined) {
    setLimitHeaders(res, { limit, max, remaining: 0, resetMs: Math.max(1, retryAfterMs) });
  }
}
