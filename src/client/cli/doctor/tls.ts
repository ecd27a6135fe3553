import type { TLSSocket } from 'node:tls';
import type { Redis } from 'ioredis';
import { type Finding, ok, warning } from './finding.js';

const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

/** Says which protocol a connection uses, and how long the server's certificate is valid. Empty without TLS. */
export function checkTls(redis: Redis): Finding[] {
  const socket = redis.stream as TLSSocket;
  if (!socket.encrypted) return [];
  const { valid_to: end } = socket.getPeerCertificate();
  return [judgeTls(socket.getProtocol() ?? 'TLS', (Date.parse(end) - Date.now()) / DAY_MS)];
}

/** @param days how long the server's certificate is valid */
export function judgeTls(protocol: string, days: number): Finding {
  const found = `${protocol}, certificate valid for ${Math.floor(days)} days`;
  return days < SOON_DAYS
    ? warning('redis tls', found, 'Renew the certificate of Redis.')
    : ok('redis tls', found);
}
