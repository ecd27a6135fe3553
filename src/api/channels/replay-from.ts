import type { Request } from 'express';
import type { ReplayFrom } from '../../shared/channel/reader.js';
import { HeadwayError } from '../../shared/errors.js';

/** Maximum number of events that `?last=` can ask for. */
const MAX_LAST = 10_000;

/**
 * Returns which earlier events a new viewer asks for: `?last=` a number of the newest ones, `?since=` those published since
 * a time (ms since 1970, or RFC 3339). Defaults to none.
 * @throws HeadwayError `invalid-request` for an invalid value, or both
 */
export function replayFromOf({ query }: Request): ReplayFrom {
  const { last, since } = query;
  if (last !== undefined && since !== undefined) {
    throw new HeadwayError('invalid-request', 'Use either last or since, not both.');
  }
  if (since !== undefined) return { since: timeOf(since) };
  if (last === undefined) return { last: 0 };
  if (typeof last === 'string' && /^\d{1,5}$/.test(last) && Number(last) <= MAX_LAST)
    return { last: Number(last) };
  throw new HeadwayError('invalid-request', `last must be a whole number from 0 to ${MAX_LAST}.`);
}

function timeOf(text: unknown): number {
  const isTime =
    typeof text === 'string' && /^(\d{1,15}|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+ -]\d\d:\d\d))$/.test(text);
  // An unencoded plus sign in a query is decoded as a space.
  const ms = isTime ? (/^\d+$/.test(text) ? Number(text) : Date.parse(text.replace(' ', '+'))) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new HeadwayError(
    'invalid-request',
    'since must be a time in ms since 1970, or in RFC 3339, such as 2026-01-31T12:00:00Z.',
  );
}
