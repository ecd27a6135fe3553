import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Channels, connectChannels } from '../../../src/shared/runtime/channels.js';
import { temporaryFolder } from '../../support/folder.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { openStream } from '../../support/sse.js';

describe('connectChannels', () => {
  let headway: Headway;
  let channels: Channels;
  beforeAll(async () => {
    headway = await startHeadway({
      env: { ADMIN_TOKEN: 'an-admin-of-these-tests' },
      appendOnly: true,
      workers: 0,
    });
    // As a secret of Docker or Kubernetes.
    const file = join(temporaryFolder(), 'redis-url');
    writeFileSync(file, `${headway.redis.url}\n`);
    vi.stubEnv('REDIS_URL_FILE', file);
    channels = await connectChannels();
    vi.stubEnv('REDIS_URL', 'redis://127.0.0.1:1');
    await expect(connectChannels()).rejects.toThrow(
      'REDIS_URL_FILE: must not be set together with REDIS_URL',
    );
    vi.unstubAllEnvs();
  });
  afterAll(async () => {
    await channels.close();
    await headway.stop();
  });

  const follow = (name: string) =>
    openStream(`${headway.api.url}/stream?channel=${encodeURIComponent(name)}`, {
      token: 'an-admin-of-these-tests',
    });

  it('publishes in order, including to the channels of a tenant', async () => {
    const [score, acme] = await Promise.all([follow('score'), follow('acme/score')]);
    const ids = await Promise.all(
      Array.from({ length: 100 }, (_, data) => channels.publish('score', { event: 'ball', data })),
    );
    await channels.publish('acme/score', { data: 'theirs' });
    await score.waitFor(({ data }) => data === 99);
    expect(score.events.map(({ id }) => id)).toEqual(ids);
    expect((await acme.waitFor('message')).data).toBe('theirs');
    score.close();
    acme.close();
  });

  it('waits while Redis is unavailable, and loses nothing', async () => {
    const stream = await follow('patient');
    await channels.publish('patient', { data: 1 });
    await stream.waitFor(({ data }) => data === 1);
    await headway.redis.kill();
    const waiting = [channels.publish('patient', { data: 2 }), channels.publish('patient', { data: 3 })];
    await headway.redis.restart();
    await Promise.all(waiting);
    await stream.waitFor(({ data }) => data === 3);
    expect(stream.events.filter(({ event }) => event === 'message').map(({ data }) => data)).toEqual([
      1, 2, 3,
    ]);
    stream.close();
  });

  it('publishes each event once and in order while connections are cut', async () => {
    const stream = await follow('cut');
    let done = false;
    const cutting = (async () => {
      while (!done) {
        await headway.connection.call('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
    })();
    const ids: string[] = [];
    for (let part = 0; part < 3; part++) {
      const calls = Array.from({ length: 50 }, (_, i) => channels.publish('cut', { data: part * 50 + i }));
      ids.push(...(await Promise.all(calls)));
    }
    done = true;
    await cutting;
    await stream.waitFor(({ data }) => data === 149);
    expect(stream.events.map(({ data }) => data)).toEqual(Array.from({ length: 150 }, (_, i) => i));
    expect(stream.events.map(({ id }) => id)).toEqual(ids);
    stream.close();
  });

  it.each([
    ['a name that is unsafe in a Redis key', 'a}b', { data: 1 }],
    ['the channel of a job', 'job:steps.1', { data: 1 }],
    ['a name that forges a frame', 'a', { event: 'x\nid: 7', data: 1 }],
    ['a reserved name', 'a', { event: 'reset', data: { reason: 'epoch' } }],
    ['a retry time that makes viewers reconnect in a loop', 'a', { retry: 0, data: 1 }],
    ['no data', 'a', { data: undefined }],
  ])('rejects %s', async (_what, name, event) => {
    await expect(channels.publish(name, event)).rejects.toThrow(TypeError);
  });

  it('stops waiting for Redis when its signal is aborted', async () => {
    const signal = AbortSignal.timeout(100);
    const connected = connectChannels({ redisUrl: 'unix:/nowhere.sock', signal });
    await expect(connected).rejects.toThrow('no Redis responds at unix:/nowhere.sock');
  });
});
