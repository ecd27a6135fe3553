import { isIP } from 'node:net';

/** An IPv4 address with a port, or an IPv6 address in brackets: some proxies send these in `X-Forwarded-For`. */
const WITH_PORT = /^(?:(\d+\.\d+\.\d+\.\d+)|\[([^\]]+)\])(?::\d+)?$/;

/**
 * Returns the network that an address stands for: an IPv4 address itself, an IPv6 address its /64 network, because one
 * customer of a provider has at least that many addresses. IPv4 addresses that are mapped into IPv6 are IPv4 addresses.
 * @param ip what Express reports as `req.ip`; it may be any text that a trusted proxy has sent
 */
export function networkOf(ip: string): string {
  const [, v4, bracketed] = WITH_PORT.exec(ip) ?? [];
  const plain = (v4 ?? bracketed ?? ip).replace(/%.*$/, '');
  if (isIP(plain) === 4) return plain;
  if (isIP(plain) !== 6) return `other:${ip.slice(0, 100)}`;
  const groups = groupsOf(plain);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return groups
      .slice(6)
      .map((group) => `${group >> 8}.${group & 255}`)
      .join('.');
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** Returns the eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // The URL parser writes an IPv4 address at the end in hexadecimal.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = [], tail = []] = canonical
    .split('::')
    .map((part) => part.split(':').flatMap((group) => (group ? Number.parseInt(group, 16) : [])));
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}
