import type { Request } from 'express';
import { describe, expect, it } from 'vitest';
import {
  createCallers,
  type LoopbackRule,
  maxFor,
  maximaOf,
  type PrincipalToLimit,
} from '../../../src/api/limits/caller.js';
import { readConfig } from '../../../src/shared/process/config.js';

const HERE = '127.0.0.1';
const THERE = '203.0.113.7';
const maxima = maximaOf(
  readConfig({
    LIMIT_JOBS_ANONYMOUS: '10',
    LIMIT_JOBS_USER: '20',
    LIMIT_STREAMS_ANONYMOUS: '40',
    LIMIT_STREAMS_USER: '30',
    LIMIT_SCHEDULES_ANONYMOUS: '0',
  }),
);

function maximaFor(rule: LoopbackRule, ip: string, principal?: PrincipalToLimit) {
  const caller = createCallers(rule).caller({ ip } as Request, principal);
  return (['jobs', 'streams', 'schedules'] as const).map((limit) => maxFor(maxima, limit, caller));
}

describe('LIMIT_LOOPBACK', () => {
  const user = { id: 'user:ada', signedIn: true, admin: false };

  it.each([
    ['on', HERE, [10, 40, undefined]],
    ['generous', HERE, [20, 40, undefined]],
    ['off', HERE, [undefined, undefined, undefined]],
    ['on', THERE, [10, 40, undefined]],
    ['generous', THERE, [10, 40, undefined]],
    ['off', THERE, [10, 40, undefined]],
  ] as const)('%s limits an anonymous caller from %s to %j', (rule, ip, expected) =>
    expect(maximaFor(rule, ip)).toEqual(expected),
  );

  it.each(['on', 'generous'] as const)('%s gives a user the limits of a user', (rule) =>
    expect(maximaFor(rule, HERE, user)).toEqual([20, 30, 200]),
  );

  it.each(['on', 'generous'] as const)('%s does not limit an admin', (rule) =>
    expect(maximaFor(rule, HERE, { ...user, admin: true })).toEqual([undefined, undefined, undefined]),
  );
});
