import express from 'express';
import { describe, expect, it } from 'vitest';
import { networkOf } from '../../../src/api/limits/address.js';

describe('networkOf', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:50123', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::ffff', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::1]:443', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::203.0.113.7', '64:ff9b:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', 'other:'],
    ['unknown', 'other:unknown'],
    ['1.2.3.4.5', 'other:1.2.3.4.5'],
    ['x'.repeat(5000), `other:${'x'.repeat(100)}`],
  ])('%s is in %s', (ip, network) => expect(networkOf(ip)).toBe(network));
});

/** What Express takes as the address of a request from `peer`, with the given `TRUST_PROXY`. */
function addressOf(trust: string | false, peer: string, forwarded: string): string | undefined {
  const app = express();
  app.set('trust proxy', trust);
  const req = Object.create(app.request, {
    app: { value: app },
    headers: { value: { 'x-forwarded-for': forwarded } },
    socket: { value: { remoteAddress: peer } },
    connection: { value: { remoteAddress: peer } },
  }) as express.Request;
  return req.ip;
}

it('the address of a request comes from a trusted proxy only, and from the last one that is not trusted', () => {
  expect(addressOf('loopback', '127.0.0.1', '203.0.113.7')).toBe('203.0.113.7');
  expect(addressOf('loopback', '198.51.100.1', '203.0.113.7')).toBe('198.51.100.1');
  expect(addressOf('loopback', '127.0.0.1', '6.6.6.6, 203.0.113.7')).toBe('203.0.113.7');
  expect(addressOf('10.0.0.0/8', '10.1.2.3', '203.0.113.7, 10.9.9.9')).toBe('203.0.113.7');
  expect(addressOf(false, '127.0.0.1', '203.0.113.7')).toBe('127.0.0.1');
});
