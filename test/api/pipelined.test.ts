import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { call, signer } from '../support/tokens.js';
import { until } from '../support/until.js';

const ADMIN = 'an-admin-of-these-tests';

describe('pipelined requests for streams', () => {
  let headway: Headway;
  let job: StartedJob;
  let token: string;
  let admin: string;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      env: {
        AUTHORIZE_MODULE: 'test/authorize/slow.ts',
        ADMIN_TOKEN: ADMIN,
        CHANNEL_RULES:
          '[{"channel":"public.**","subscribe":"anyone","publish":"anyone","presence":"anyone"}]',
      },
    });
    token = await signer(headway.env.TOKEN_SECRET!)({ sub: 'ada' });
    admin = await signer(headway.env.TOKEN_SECRET!)({ headway: { admin: true } });
    job = await headway.client.start('steps', { count: 1000, intervalMs: 1000 });
  });
  afterAll(() => headway.stop());

  const kinds: Array<[kind: string, path: () => string, begins: string]> = [
    ['a job', () => `${job.links.events}?token=${job.token}`, 'event: waiting'],
    ['several jobs', () => `/v1/events?job=${job.id}&token=${job.token}`, 'event: waiting'],
    ['all of mine', () => `/v1/events?jobs=mine&token=${token}`, 'event: reset'],
    ['a queue', () => `/v1/events?queue=steps&token=${admin}`, 'event: reset'],
    ['a channel', () => '/stream?channel=public.score', 'retry: '],
    ['the dashboard', () => `/v1/dashboard/events?token=${token}`, 'event: dashboard'],
  ];
  const get = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream, */*\r\n\r\n`;

  /** Sends requests in one packet, and collects the response. */
  async function send(requests: string) {
    const socket = connect(Number(new URL(headway.api.url).port), '127.0.0.1');
    socket.setNoDelay(true);
    let text = '';
    let ended = false;
    socket.setEncoding('utf8').on('data', (data) => {
      text += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      ended = true;
    });
    await once(socket, 'connect');
    socket.write(requests);
    return { socket, text: () => text, ended: () => ended };
  }
  const watched = (): Promise<number> => headway.connection.exists('headway:internal:{dashboard}:watched');
  const noDashboard = () => until('no dashboard is open', async () => (await watched()) === 0);
  const processOutput = (): string => headway.api.output();

  it.each(kinds)('%s: is answered after the request before it', async (_kind, path, begins) => {
    const { socket, text, ended } = await send(get('/v1/channels/slow') + get(path()));
    await until('both are answered', () => text().includes(begins));
    expect(text()).toMatch(
      /^HTTP\/1\.1 200 OK\r\n.*"channel":"slow".*HTTP\/1\.1 200 OK\r\n.*text\/event-stream/s,
    );
    expect(ended()).toBe(false);
    socket.destroy();
    await noDashboard();
    expect(processOutput()).toBe('');
  });

  it.each(kinds)('%s: keeps nothing of the requests after an open stream', async (_kind, path, begins) => {
    const before = '/stream?channel=public.front';
    const { socket, text } = await send(get(before) + get(path()) + get(path()));
    await until('the first is open', () => text().includes('retry: '));
    await until('it is followed', async () => (await watchersOf('public.front')) === 1);
    // A published event arrives on the first stream, and nothing of the other streams arrives before it.
    const answer = await call(`${headway.api.url}/v1/channels/public.front`, 'POST', undefined, {
      data: 'front',
    });
    expect(answer.status).toBe(200);
    await until('the first is live', () => text().includes('data: front'));
    expect(text().match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(text().replace('retry: ', '')).not.toContain(begins);
    expect(await watched()).toBe(0);
    expect(await watchersOf('public.score')).toBe(0);
    socket.destroy();
    await until('it has no viewer', async () => (await watchersOf('public.front')) === 0);
    await noDashboard();
    expect(processOutput()).toBe('');
  });

  it('an upload after a stream is aborted, and leaves nothing behind', async () => {
    const body = 'x'.repeat(1000);
    const head = `POST /v1/files?name=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n${body}`;
    const { socket, text } = await send(get('/stream?channel=public.front') + head);
    await until('the stream is open', () => text().includes('retry: '));
    await call(`${headway.api.url}/v1/channels/public.front`, 'POST', undefined, { data: 'on' });
    await until('the stream is live', () => text().includes('data: on'));
    const pending = join(headway.env.DATA_DIR!, 'files', 'tmp');
    await until('nothing is left of it', () => !existsSync(pending) || readdirSync(pending).length === 0);
    socket.destroy();
  });

  const watchersOf = async (channel: string): Promise<number> =>
    ((await (await fetch(`${headway.api.url}/v1/channels/${channel}`)).json()) as { watchers: number })
      .watchers;
});
