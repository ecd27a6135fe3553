import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../../support/headway.js';
import { startApi, type TestProcess } from '../../support/processes.js';
import { openStream } from '../../support/sse.js';
import { call, signer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

const ADMIN = 'an-admin-of-these-tests';
const RULES = [
  { channel: 'public.**', subscribe: 'anyone', presence: 'anyone' },
  { channel: 'lobby', subscribe: 'anyone' },
];

describe('the number of viewers of a channel', () => {
  let headway: Headway;
  let second: TestProcess;
  let sign: ReturnType<typeof signer>;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      env: { ADMIN_TOKEN: ADMIN, CHANNEL_RULES: JSON.stringify(RULES) },
    });
    second = await startApi(headway.env);
    sign = signer(headway.env.TOKEN_SECRET!);
  });
  afterAll(async () => {
    await second.kill();
    await headway.stop();
  });

  const ask = (channel: string, token?: string, at = headway.api.url): Promise<Response> =>
    call(`${at}/v1/channels/${channel}`, 'GET', token);
  const count = async (channel: string, token?: string, at?: string): Promise<unknown> =>
    (await ask(channel, token, at)).json();

  it('counts all API processes, and changes as viewers connect and disconnect', async () => {
    expect(await count('public.room')).toEqual({ channel: 'public.room', watchers: 0, complete: true });
    const streams = await Promise.all(
      [headway.api.url, headway.api.url, second.url, second.url, second.url].map((at, i) =>
        // One of the viewers follows another channel too.
        openStream(`${at}/stream?channel=public.room${i === 4 ? '&channel=lobby' : ''}`),
      ),
    );
    await until('all are counted', async () => {
      const { watchers, complete } = (await count('public.room')) as { watchers: number; complete: boolean };
      return watchers === 5 && complete;
    });
    expect(await count('lobby', ADMIN)).toMatchObject({ watchers: 1 });
    for (const stream of streams.slice(0, 4)) stream.close();
    await until(
      'viewers that left are not counted',
      async () => ((await count('public.room')) as { watchers: number }).watchers === 1,
    );
    streams[4]!.close();
  });

  it('soon excludes the viewers of an API process that does not answer', async () => {
    const third = await startApi(headway.env);
    const stream = await openStream(`${third.url}/stream?channel=public.stuck`);
    // Ask the second process: the first one, asked below, must not have a cached count.
    await until(
      'it is counted',
      async () =>
        ((await count('public.stuck', undefined, second.url)) as { watchers: number }).watchers === 1,
    );
    process.kill(third.child.pid!, 'SIGSTOP');
    expect(await count('public.stuck')).toEqual({ channel: 'public.stuck', watchers: 0, complete: false });
    process.kill(third.child.pid!, 'SIGCONT');
    await until(
      'it answers again',
      async () => ((await count('public.stuck')) as { watchers: number }).watchers === 1,
    );
    stream.close();
    await third.kill();
    await until(
      'the process is no longer waited for',
      async () => ((await count('public.stuck')) as { complete: boolean }).complete,
    );
  });

  it('of a job requires access to the job', async () => {
    const job = await headway.client.start('steps', { count: 1000, intervalMs: 100 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.waitFor('waiting');
    expect(await count(`job:${job.id}`, job.token)).toMatchObject({ watchers: 1 });
    expect((await ask(`job:${job.id}`)).status).toBe(404);
    await headway.client.cancel(job);
    await stream.ended;
  });

  it('requires permission', async () => {
    expect((await ask('lobby')).status).toBe(401);
    expect((await ask('lobby', await sign())).status).toBe(403);
    expect((await ask('lobby', await sign({ headway: { subscribe: ['lobby'] } }))).status).toBe(403);
    // A publisher may see the number of viewers.
    expect((await ask('lobby', await sign({ headway: { publish: ['lobby'] } }))).status).toBe(200);
    expect((await ask('a%7Db', ADMIN)).status).toBe(400);
  });
});
