import type { Request } from 'express';
import type { ReplayFrom } from '../../shared/channel/reader.js';
import { HeadwayError } from '../../shared/errors.js';

const MAX_LAST = 10_000;

/**
 * Which of the events that were there before a newcomer wants: `?last=`, a number of the newest; `?since=`, those from a
 * time on (ms since 1970, or RFC 3339). None unless it says.
 * @throws HeadwayError `invalid-request` for what is neither
 */
export function replayFromOf({ query }: Request): ReplayFrom {
  const { last, since } = query;
  if (last !== undefined && since !== undefined) {
    throw new HeadwayError('invalid-request', 'Give either last or since.');
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
  // A plus sign in a query that nobody encoded is a space.
  const ms = isTime ? (/^\d+$/.test(text) ? Number(text) : Date.parse(text.replace(' ', '+'))) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new HeadwayError(
    'invalid-request',
    'since must be a time: ms since 1970, or as in 2026-01-31T12:00:00Z.',
  );
}
