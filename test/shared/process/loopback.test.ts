import { expect, it } from 'vitest';
import { isLoopback } from '../../../src/shared/process/loopback.js';

it.each([
  '127.0.0.1',
  '127.9.9.9',
  '::1',
  '[::1]',
  '::ffff:127.0.0.1',
  'localhost',
  'LOCALHOST',
  'a.localhost',
])('%j means this machine', (host) => expect(isLoopback(host)).toBe(true));

it.each([
  '127.0.0.1.example.com',
  '1270.0.0.1',
  '128.0.0.1',
  '10.0.0.1',
  '::2',
  '::ffff:10.0.0.1',
  '',
  'local',
  'notlocalhost',
])('%j means other machines too', (host) => expect(isLoopback(host)).toBe(false));
