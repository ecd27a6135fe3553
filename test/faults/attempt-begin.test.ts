import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { openToEnd } from '../support/sse.js';

describe('P1: the moment at which an attempt begins, or ends', () => {
  let headway: Headway;
  afterEach(() => headway.stop());

  it.each([
    ['connections are cut', { attempts: 1 }],
    ['Redis refuses writes', { attempts: 1 }],
  ])('fails no job because %s', async (what, options) => {
    headway = await startHeadway({ env: { WORKER_CONCURRENCY: '10', MAX_STALLS: '1000' } });
    const { client, connection } = headway;
    let on = true;
    const fault = (async () => {
      while (on) {
        if (what === 'connections are cut')
          await connection.call('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => {});
        else {
          await connection.config('SET', 'maxmemory', '1mb');
          await sleep(150);
          await connection.config('SET', 'maxmemory', '0');
        }
        await sleep(100);
      }
    })();
    const jobs = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const body = { name: 'steps', data: { count: 3, intervalMs: 10 + i }, options };
        const headers = { 'Idempotency-Key': `attempt-begin-${i}-0123456789` };
        for (;;) {
          const response = await client.post(body, headers);
          if (response.status === 202) return (await response.json()) as { id: string; token: string };
          await sleep(50);
        }
      }),
    );
    await sleep(3000);
    on = false;
    await fault;
    for (const job of jobs) {
      const stream = await openToEnd(`${headway.api.url}/v1/jobs/${job.id}/events`, job.token);
      const failed = stream.events.find(({ event }) => event === 'failed');
      expect(failed?.data).toBeUndefined();
      expect(stream.names().at(-1)).toBe('completed');
    }
  });
});
