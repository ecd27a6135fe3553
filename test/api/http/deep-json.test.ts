import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN } from '../../support/dashboard.js';
import type { Headway } from '../../support/headway.js';
import { borrowHeadway } from '../../support/shared-headway.js';

describe('nested JSON', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  const send = (method: string, path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(`${headway.api.url}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${ADMIN_TOKEN}`, ...headers },
      body,
    });
  const nested = (levels: number, open: string, close: string): string =>
    `${open.repeat(levels)}1${close.repeat(levels)}`;

  it.each([
    ['POST', '/v1/jobs', (inner: string) => `{"name":"steps","data":${inner}}`],
    ['POST', '/v1/jobs:batch', (inner: string) => `{"jobs":[{"name":"steps","data":${inner}}]}`],
    ['POST', '/v1/channels/public.deep', (inner: string) => `{"data":${inner}}`],
    ['POST', '/v1/channels/public.deep', (inner: string) => `{"events":[{"data":${inner}}]}`],
    ['POST', '/v1/schedules', (inner: string) => `{"name":"steps","everyMs":1000,"data":${inner}}`],
    ['PATCH', '/v1/schedules/x', (inner: string) => `{"data":${inner}}`],
    ['POST', '/v1/keys', (inner: string) => `{"name":${inner}}`],
    ['POST', '/v1/revocations', (inner: string) => `{"sub":${inner}}`],
    ['POST', '/v1/jobs', (inner: string) => inner],
  ])('is refused at 5,000 and 100,000 levels, with the reason: %s %s', async (method, path, bodyOf) => {
    // These bodies are limited to 64 kB.
    const levels = /keys|revocations/.test(path) ? [5000, 30_000] : [5000, 100_000];
    for (const depth of levels) {
      for (const [open, close] of [
        ['[', ']'],
        ['{"__proto__":', '}'],
      ] as const) {
        const inner = nested(open === '[' ? depth : 4000, open, close);
        const response = await send(method, path, bodyOf(inner), { 'Idempotency-Key': 'a-key-that-is-deep' });
        expect(response.status).toBe(400);
        const problem = (await response.json()) as { code: string; detail: string };
        expect(problem.code).toBe('invalid-request');
        expect(problem.detail).toContain('256 levels deep');
      }
    }
  });

  it('is accepted at 200 levels, and with very many values', async () => {
    for (const data of [nested(200, '[', ']'), nested(200, '{"a":', '}'), `[${'[],'.repeat(150_000)}1]`]) {
      const response = await send('POST', '/v1/channels/public.deep', `{"data":${data}}`);
      expect(response.status).toBe(200);
    }
  });
});
