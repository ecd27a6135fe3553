import { describe, expect, it } from 'vitest';
import { chooseAnonymous, isLoopback } from '../../../src/api/auth/anonymous.js';

describe('the default of ANONYMOUS', () => {
  it.each([
    ['127.0.0.1', false, false, 'allow'],
    ['0.0.0.0', false, false, 'allow'],
    ['127.0.0.1', true, false, 'allow'],
    ['127.8.9.10', true, false, 'allow'],
    ['::1', true, false, 'allow'],
    ['localhost', true, false, 'allow'],
    ['0.0.0.0', true, false, 'deny'],
    ['::', true, false, 'deny'],
    ['10.0.0.1', true, false, 'deny'],
    ['localhost.example.com', true, false, 'deny'],
    // An embedded API does not know the address of its server.
    ['127.0.0.1', true, true, 'deny'],
    ['127.0.0.1', false, true, 'allow'],
  ] as const)('for HOST=%s, production: %s, embedded: %s is %s', (HOST, production, embedded, mode) => {
    const choice = chooseAnonymous({ ANONYMOUS: '', HOST }, { production, embedded });
    expect(choice.mode).toBe(mode);
    expect(choice.why).toMatch(/^the default/);
    const configured = chooseAnonymous({ ANONYMOUS: 'watch', HOST }, { production, embedded });
    expect(configured).toEqual({ mode: 'watch', why: 'as configured' });
  });

  it.each(['127.0.0.1.example.com', '1270.0.0.1', '128.0.0.1', '', 'local', '::2'])(
    'takes %j for an address that others can reach',
    (host) => expect(isLoopback(host)).toBe(false),
  );
});
