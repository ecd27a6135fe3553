import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * What an IP address is to a webhook: `public`; `private` (loopback, RFC 1918, carrier-grade NAT, unique local), which
 * an operator may allow; or `forbidden`, whatever the operator says: link-local, multicast, unspecified, reserved,
 * what tunnels to another address, and where clouds serve the credentials of a machine.
 */
export type AddressKind = 'public' | 'private' | 'forbidden';

const PRIVATE = ['loopback', 'private', 'carrierGradeNat', 'uniqueLocal'];
/** Metadata services of clouds, where the range alone does not give them away. */
const METADATA = ['168.63.129.16', '100.100.100.200', 'fd00:ec2::254', 'fd20:ce::254'];
/** All of IPv6 that is given out for use on the internet (RFC 4291, section 2.4, as IANA has done so far). */
const GLOBAL = ipaddr.IPv6.parseCIDR('2000::/3');
/** The internet of IPv4 as a network without IPv4 sees it (RFC 6052, section 2.1). */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

/** Classifies an address in the form in which a resolver gives it; what is none is `forbidden`. */
export function addressKind(text: string): AddressKind {
  // With the name of an interface (fe80::1%eth0) it is link-local.
  if (isIP(text) === 0 || text.includes('%')) return 'forbidden';
  // An IPv4 address in IPv6 clothes (::ffff:0:0/96) is that IPv4 address.
  const address = ipaddr.process(isIPv4(text) ? text : hexadecimal(text));
  if (METADATA.includes(address.toString())) return 'forbidden';
  const range = address.range();
  if (PRIVATE.includes(range)) return 'private';
  if (address instanceof ipaddr.IPv6) {
    if (address.match(NAT64)) return behindNat64(address);
    return range === 'unicast' && address.match(GLOBAL) ? 'public' : 'forbidden';
  }
  return range === 'unicast' ? 'public' : 'forbidden';
}

/** The library takes ::1.2.3.4 for 1.2.3.4; who connects to it does not. */
const hexadecimal = (text: string): string => new URL(`http://[${text}]`).hostname.slice(1, -1);

function behindNat64(address: ipaddr.IPv6): AddressKind {
  const embedded = address.toByteArray().slice(-4).join('.');
  return addressKind(embedded) === 'public' ? 'public' : 'forbidden';
}
