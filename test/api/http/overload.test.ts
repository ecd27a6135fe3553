import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { levelOf } from '../../../src/api/http/overload.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { temporaryFolder } from '../../support/processes.js';
import { openStream } from '../../support/sse.js';
import { until } from '../../support/until.js';

describe('an overloaded API', () => {
  const dir = temporaryFolder();
  const load = join(dir, 'load');
  let headway: Headway;
  beforeAll(async () => {
    // A module of the operator that blocks the event loop for as long as the file says, in ms.
    const hook = join(dir, 'hook.mjs');
    writeFileSync(
      hook,
      `import { readFileSync } from 'node:fs';
      const ms = () => { try { return Number(readFileSync(${JSON.stringify(load)}, 'utf8')); } catch { return 0; } };
      setInterval(() => { const end = performance.now() + ms(); while (performance.now() < end); }, 5);
      export default () => undefined;\n`,
    );
    headway = await startHeadway({
      workers: 0,
      env: {
        LOG_LEVEL: 'info',
        AUTHORIZE_MODULE: hook,
        SHED_LOOP_DELAY_MS: '40',
        SHED_MEMORY_PERCENT: '0',
        CHANNEL_RULES: JSON.stringify([{ channel: 'public.**', subscribe: 'anyone', publish: 'anyone' }]),
      },
    });
  });
  afterAll(() => headway.stop());

  it('refuses new streams, then new jobs, and serves the viewers and jobs that it has', async () => {
    const { api, client } = headway;
    const url = `${api.url}/stream?channel=public.news`;
    const publish = (data: number) =>
      fetch(`${api.url}/v1/channels/public.news`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ data }),
      });
    const stream = await openStream(url);
    const job = await client.start('steps', { count: 1, intervalMs: 1 });
    await publish(1);
    const { id } = await stream.waitFor(({ data }) => data === 1);

    writeFileSync(load, '150');
    await until('new jobs are refused', () => api.output().includes('refusing new streams and new jobs'));
    writeFileSync(load, '0');
    // The state stays for some seconds, although the process answers quickly again.
    const [refusedStream, refusedJob, refusedRun, ready] = await Promise.all([
      fetch(url, { headers: { Accept: 'text/event-stream' } }),
      client.post({ name: 'steps', data: { count: 1, intervalMs: 1 } }),
      fetch(`${api.url}/V1/Schedules/none/run`, { method: 'POST' }),
      fetch(`${api.url}/readyz`),
    ]);
    for (const refused of [refusedStream, refusedJob, refusedRun, ready]) {
      expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'overloaded' }]);
      expect(refused.headers.has('retry-after')).toBe(true);
    }
    const returning = await openStream(url, { lastEventId: id });
    await returning.ended;
    expect([returning.status, returning.retry! >= 3000]).toEqual([200, true]);
    const [shown, published, cancelled] = await Promise.all([
      client.get(job),
      publish(2),
      client.cancel(job),
    ]);
    expect([shown.status, published.status]).toEqual([200, 200]);
    expect(cancelled.ok).toBe(true);
    await stream.waitFor(({ data }) => data === 2);
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);

    await until('it is ready again', async () => (await fetch(`${api.url}/readyz`)).ok);
    (await openStream(url)).close();
    expect((await client.post({ name: 'steps', data: { count: 1, intervalMs: 1 } })).status).toBe(202);
    stream.close();
    // One line for each change, none for each refusal.
    expect(api.output().match(/refusing/g)!.length).toBeLessThanOrEqual(4);
  });
});

it.each([
  [{ loopDelayMs: 499, memoryShare: 0.89 }, 0],
  [{ loopDelayMs: 500, memoryShare: 0 }, 1],
  [{ loopDelayMs: 1000, memoryShare: 0 }, 2],
  [{ loopDelayMs: 0, memoryShare: 0.9 }, 1],
  [{ loopDelayMs: 0, memoryShare: 0.95 }, 2],
])('%o calls for level %i', (load, level) => {
  expect(levelOf(load, { SHED_LOOP_DELAY_MS: 500, SHED_MEMORY_PERCENT: 90 })).toBe(level);
  expect(levelOf(load, { SHED_LOOP_DELAY_MS: 0, SHED_MEMORY_PERCENT: 0 })).toBe(0);
});
