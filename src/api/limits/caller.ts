import { createHash } from 'node:crypto';
import type { Request } from 'express';
import type { Config } from '../../shared/process/config.js';
import { isLoopback } from '../../shared/process/loopback.js';
import { networkOf } from './address.js';
import { BoundedMap } from './bounded-map.js';
import { CALLER_LIMITS, type CallerLimit, OPENS_PER_STREAM } from './names.js';

/** How many addresses a process remembers, so that it computes the digest of each once, not several times for each request. */
const REMEMBERED = 10_000;

/** How limits see a caller. A visitor is anonymous: a new cookie makes a new visitor, so only the address counts. */
export type CallerKind = 'anonymous' | 'user' | 'key' | 'admin';

/** A kind of caller with limits of its own. */
export type LimitTier = CallerKind | 'local';

/** The parts of a principal that matter for limits. */
export interface PrincipalToLimit {
  id: string;
  signedIn: boolean;
  admin: boolean;
  credential?: { key?: string | undefined } | undefined;
  /** The limits of the API key itself, by the name of the limit. */
  limits?: Partial<Record<string, number>> | undefined;
}

/** A caller as limits count it. */
export interface LimitedCaller {
  kind: CallerKind;
  /** Whose limits apply: for an anonymous caller on this machine, perhaps those of `local`. */
  tier: LimitTier;
  /** Whose units are counted: `user:<digest>`, `key:<id>`, or `address:<digest>` for an anonymous caller. */
  who: string;
  /** `address:<digest>`, for limits that count every caller of an address. */
  address: string;
  /** Whether nothing is limited: an admin, or a caller from this machine (see `LIMIT_LOOPBACK`). */
  exempt: boolean;
  /** The limits of the API key itself, which replace those of the settings. */
  own: Partial<Record<CallerLimit, number>>;
}

/** The maximum of each limit by kind of caller; 0 if there is none. `local` has the larger one of `anonymous` and `user`. */
export type Maxima = Record<CallerLimit, Record<LimitTier, number>>;

/** Returns the maxima in the configuration. */
export function maximaOf(config: Config): Maxima {
  const of = (limit: CallerLimit) => {
    const name = limit.toUpperCase().replace('-', '_') as
      | 'REQUESTS'
      | 'JOBS'
      | 'ACTIVE_JOBS'
      | 'SCHEDULES'
      | 'STREAMS'
      | 'STREAM_OPENS'
      | 'DASHBOARDS'
      | 'UPLOADS'
      | 'UPLOAD_BYTES';
    const maxOf = (who: 'ANONYMOUS' | 'USER' | 'KEY'): number => {
      const max = config[`LIMIT_${name}_${who}`];
      return max === '' ? OPENS_PER_STREAM * config[`LIMIT_STREAMS_${who}`] : max;
    };
    const [anonymous, user] = [maxOf('ANONYMOUS'), maxOf('USER')];
    const local = anonymous === 0 || user === 0 ? 0 : Math.max(anonymous, user);
    return { anonymous, user, local, key: maxOf('KEY'), admin: 0 };
  };
  return Object.fromEntries(CALLER_LIMITS.map((limit) => [limit, of(limit)])) as Maxima;
}

/** Identifies callers for limits. */
export interface Callers {
  /** Returns a caller as limits count it. @param principal `undefined` for an unidentified caller */
  caller(req: Request, principal: PrincipalToLimit | undefined): LimitedCaller;
  /** Returns a caller whom the application names itself: it counts as everywhere else, but has no address. */
  named(principal: PrincipalToLimit): LimitedCaller;
  /** Returns `address:<digest>` for the address of a request; `undefined` if it is not limited (see `LIMIT_LOOPBACK`). */
  address(req: Request): string | undefined;
}

/**
 * How callers from this machine are limited: like all others; with the limits of users at
 * least, even if they are anonymous; not at all. */
export type LoopbackRule = 'on' | 'generous' | 'off';

export function createCallers(loopback: LoopbackRule): Callers {
  const names = new BoundedMap<string>(REMEMBERED);
  // There is no address if the client has disconnected.
  const isOwn = ({ ip = '' }: Request): boolean => isLoopback(ip);

  function address(req: Request): string | undefined {
    if (loopback === 'off' && isOwn(req)) return undefined;
    const network = networkOf(req.ip ?? '');
    const known = names.get(network);
    if (known !== undefined) return known;
    const name = `address:${digest(network)}`;
    names.set(network, name);
    return name;
  }

  return {
    address,
    caller(req, principal) {
      const kind = kindOf(principal);
      const from = kind === 'admin' ? undefined : address(req);
      if (from === undefined) return exempt(kind);
      const isLocal = kind === 'anonymous' && loopback === 'generous' && isOwn(req);
      return {
        kind,
        tier: isLocal ? 'local' : kind,
        who: whoOf(kind, principal, from),
        address: from,
        exempt: false,
        own: principal?.limits ?? {},
      };
    },
    named(principal) {
      const kind = kindOf(principal);
      if (kind === 'admin') return exempt(kind);
      const who = whoOf(kind, principal, '');
      return { kind, tier: kind, who, address: '', exempt: false, own: principal.limits ?? {} };
    },
  };
}

function exempt(kind: CallerKind): LimitedCaller {
  return { kind, tier: kind, who: '', address: '', exempt: true, own: {} };
}

function whoOf(kind: CallerKind, principal: PrincipalToLimit | undefined, address: string): string {
  if (!principal || kind === 'anonymous') return address;
  return kind === 'key' ? `key:${principal.credential?.key}` : `user:${digest(principal.id)}`;
}

function kindOf(principal: PrincipalToLimit | undefined): CallerKind {
  if (principal?.admin) return 'admin';
  if (!principal?.signedIn) return 'anonymous';
  return principal.credential?.key === undefined ? 'user' : 'key';
}

/** Returns a short name for a principal or an address, which is safe in a Redis key. */
const digest = (name: string): string => createHash('sha256').update(name).digest('base64url').slice(0, 22);

/** Returns the maximum that applies to a caller; `undefined` if there is none. */
export function maxFor(maxima: Maxima, limit: CallerLimit, caller: LimitedCaller): number | undefined {
  if (caller.exempt) return undefined;
  const max = caller.own[limit] ?? maxima[limit][caller.tier];
  return max > 0 ? max : undefined;
}
