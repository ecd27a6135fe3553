import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * The class of an IP address for webhooks. `public`: allowed. `private` (loopback, RFC 1918, carrier-grade NAT, unique
 * local): allowed if the operator says so. `forbidden`: never allowed; link-local, multicast, unspecified and reserved
 * addresses, tunnels to other addresses, and the metadata services of clouds, which serve a machine's credentials.
 */
export type AddressKind = 'public' | 'private' | 'forbidden';

const PRIVATE = ['loopback', 'private', 'carrierGradeNat', 'uniqueLocal'];
/** Metadata services of clouds that are outside of the forbidden ranges. */
const METADATA = ['168.63.129.16', '100.100.100.200', 'fd00:ec2::254', 'fd20:ce::254'];
/** The global unicast addresses that IANA has allocated so far (RFC 4291, section 2.4). */
const GLOBAL = ipaddr.IPv6.parseCIDR('2000::/3');
/** IPv4 addresses as seen from a network without IPv4 (RFC 6052, section 2.1). */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

/** Classifies an address in the form that a resolver returns. Text that is not an address is `forbidden`. */
export function addressKind(text: string): AddressKind {
  // An address with a zone (fe80::1%eth0) is link-local.
  if (isIP(text) === 0 || text.includes('%')) return 'forbidden';
  // An IPv4-mapped IPv6 address (::ffff:0:0/96) is treated as the IPv4 address.
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

/** Writes an IPv6 address without a dotted part: the library treats ::1.2.3.4 as 1.2.3.4, but the operating system does not. */
const hexadecimal = (text: string): string => new URL(`http://[${text}]`).hostname.slice(1, -1);

function behindNat64(address: ipaddr.IPv6): AddressKind {
  const embedded = address.toByteArray().slice(-4).join('.');
  return addressKind(embedded) === 'public' ? 'public' : 'forbidden';
}
