import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PlainBullMq, plainBullMq } from '../support/bullmq.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import type { Headway } from '../support/headway.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream } from '../support/sse.js';

describe('any value that a job throws', () => {
  let headway: Headway;
  let plain: PlainBullMq;
  beforeAll(async () => {
    headway = await borrowHeadway();
    plain = plainBullMq(headway);
  });
  afterAll(async () => {
    await plain.close();
    await headway.stop();
  });

  const expected: Record<string, RegExp> = {
    number: /^404$/,
    object: /^no such table$/,
    null: /^null$/,
    symbol: /^Symbol\(sign\)$/,
    bare: /^\[Object: null prototype\] \{\}$/,
    getter: /^unknown error$/,
    proxy: /./,
    huge: /^x{10000}… \(cut\)$/,
    permanent: /^\{ detail: 'never' \}$/,
  };

  it.each(['thrower', 'thrower-thread'])(
    'fails its only attempt once, with a message of limited length: %s',
    async (name) => {
      const runs = Object.keys(expected).flatMap((kind) => [
        { kind, data: { kind } },
        { kind, data: { kind, later: true } },
      ]);
      await Promise.all(
        runs.map(async ({ kind, data }) => {
          const job = await headway.client.start(name, data, { attempts: 1 });
          const stream = await openStream(headway.client.events(job), { token: job.token });
          await stream.ended;
          const names = stream.names().filter((event) => event !== 'log');
          expect(names, `${kind} ${JSON.stringify(stream.events)}`).toEqual(['waiting', 'active', 'failed']);
          const { message } = (stream.events.at(-1)!.data as { error: { message: string } }).error;
          expect(message, kind).toMatch(expected[kind]!);
          const stored = await headway.connection.hgetall(`{headway}:${name}:${job.id}`);
          expect(JSON.stringify(stored).length, kind).toBeLessThan(50_000);
        }),
      );
      const longest = Math.max(
        ...headway.workers[0]!.output()
          .split('\n')
          .map((line) => line.length),
      );
      expect(longest).toBeLessThan(40_000);
    },
  );

  it('is truncated for viewers if the worker did not truncate it', async () => {
    const queue = plain.queue('elsewhere');
    const job = await queue.add('send', {});
    const worker = plain.worker('elsewhere', async () => {
      throw new Error('é'.repeat(1_000_000));
    });
    await new Promise((resolve) => worker.once('failed', resolve));
    const url = `${headway.api.url}/v1/jobs/elsewhere..${job.id}`;
    const shown = await fetch(url, { headers: { Authorization: `Bearer ${ADMIN_TOKEN}` } });
    expect(await shown.json()).toMatchObject({ error: { message: `${'é'.repeat(10_000)}… (cut)` } });
    const stream = await openStream(`${url}/events`, { token: ADMIN_TOKEN });
    await stream.ended;
    expect(stream.events.at(-1)!.data).toMatchObject({ error: { message: `${'é'.repeat(10_000)}… (cut)` } });
  });
});
