import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { RequestHandler } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import { hostOf, hostPatterns, matchesHost } from '../../shared/host-patterns.js';
import type { Config } from '../../shared/process/config.js';

/** Names that browsers never look up in DNS (RFC 6761, section 6.3). */
const LOOPBACK_NAMES = ['localhost', '*.localhost'];

/** `Host` (RFC 9110, section 7.2): a name or an IPv4 address, or an IPv6 address in brackets; then maybe a port. */
const HOST_FORM = /^(?:([\w.~-]+)|\[([\da-f:.]+)\])(?::\d*)?$/i;

/**
 * Returns the host names under which the API may be reached.
 * @param embedded whether the API is part of an application, which has names that Headway does not know. By default, all
 *   names are then accepted.
 */
export function allowedHosts(
  { ALLOWED_HOSTS, PUBLIC_URL, HOST }: Pick<Config, 'ALLOWED_HOSTS' | 'PUBLIC_URL' | 'HOST'>,
  embedded: boolean,
): string[] {
  const configured = hostPatterns(ALLOWED_HOSTS) ?? [];
  if (embedded && configured.length === 0) return ['*'];
  return [
    ...LOOPBACK_NAMES,
    ...(PUBLIC_URL ? [hostOf(new URL(PUBLIC_URL))] : []),
    ...(isIP(HOST) ? [] : (hostPatterns(HOST) ?? [])),
    ...configured,
  ];
}

/**
 * Refuses requests for other host names. A page can make its own name point to this machine (DNS rebinding); for the
 * browser, the API then belongs to that page. An IP address as the host is accepted: there is no name that could point
 * elsewhere. `X-Forwarded-Host` is not read.
 * @throws HeadwayError `unknown-host`; `invalid-request` if the host is missing, malformed or given twice (RFC 9112,
 *   section 3.2)
 */
export function refuseUnknownHosts(allowed: string[]): RequestHandler {
  return (req, _res, next) => {
    if (allowed.includes('*')) return next();
    for (const given of hostsOf(req)) {
      const [, name, ipv6] = HOST_FORM.exec(given) ?? [];
      if (name === undefined && isIP(ipv6 ?? '') !== 6) throw invalidHost('The Host header is not valid.');
      const host = name?.toLowerCase().replace(/\.$/, '');
      if (host === undefined || isIP(host) || matchesHost(host, allowed)) continue;
      throw new HeadwayError(
        'unknown-host',
        `This API does not accept requests for the host ${host.slice(0, 100)}. If clients should reach it under this name, add the name to the setting ALLOWED_HOSTS of the API.`,
      );
    }
    next();
  };
}

/** Returns the hosts that a request names: in `Host` or `:authority`, and in a target in absolute form. */
function hostsOf({ headers, rawHeaders, url = '' }: IncomingMessage): string[] {
  const host = headers.host ?? headers[':authority'];
  if (typeof host !== 'string') throw invalidHost('The Host header is missing.');
  let count = 0;
  // Node drops all but the first one from `headers`.
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'host') count++;
  if (count > 1) throw invalidHost('There is more than one Host header.');
  const target = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1];
  return target === undefined ? [host] : [host, target];
}

const invalidHost = (detail: string): HeadwayError => new HeadwayError('invalid-request', detail);
