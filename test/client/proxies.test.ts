import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type AnyJobs,
  type ClientOptions,
  createClient,
  type JobEvent,
  type ProblemError,
  type Status,
} from '../../src/client/index.js';
import { type CutProxy, type Fault, startCutProxy } from '../support/cut-proxy.js';
import type { Headway } from '../support/headway.js';
import { startProxy } from '../support/proxy.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { call, signer } from '../support/tokens.js';
import { until } from '../support/until.js';

describe('a client behind a proxy', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  async function behind(fault: Fault): Promise<CutProxy> {
    const proxy = await startCutProxy(headway.api.url);
    onTestFinished(() => proxy.stop());
    proxy.fault = fault;
    return proxy;
  }
  const isStream: Fault = (req) => (req.headers.accept === 'text/event-stream' ? 'withhold' : 'pass');

  /** Watches steered jobs to their ends. */
  async function watch(options: ClientOptions, count = 1) {
    const client = createClient<AnyJobs>(options);
    const turns = Array.from({ length: count }, () => randomUUID());
    const statuses: Status[] = [];
    const seen: JobEvent[][] = turns.map(() => []);
    const jobs = await Promise.all(turns.map((name) => client.startJob('steered', { turns: name })));
    const ended = jobs.map(
      (job, i) =>
        new Promise<void>((resolve) => {
          job.watch({
            onEvent: (event) => void seen[i]!.push(event),
            onStatus: (status) => void statuses.push(status),
            onEnd: () => resolve(),
          });
        }),
    );
    const say = async (...lines: string[]): Promise<void> => {
      for (const line of lines) for (const name of turns) await headway.connection.lpush(name, line);
    };
    const logs = (i = 0): string[] =>
      seen[i]!.flatMap((event) => (event.event === 'log' ? [event.data.message] : []));
    return { statuses, seen, say, logs, ended: Promise.all(ended) };
  }

  it('that withholds bodies polls, sees everything once, and is live', async () => {
    const proxy = await behind(isStream);
    const { statuses, seen, say, logs, ended } = await watch({ url: proxy.url, mutedMs: 300 }, 2);
    await until('it is live', () => statuses.at(-1) === 'live');
    await say('log one', 'log two');
    await until('both are seen', () => logs(0).length === 2 && logs(1).length === 2);
    await say('log three', 'end');
    await ended;
    for (const [i, events] of seen.entries()) {
      expect(logs(i)).toEqual(['one', 'two', 'three']);
      expect(events.filter(({ event }) => event === 'completed')).toHaveLength(1);
      const offsets = events.map(({ id }) => Number(id!.split('-')[1]));
      expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
    }
    expect(statuses).not.toContain('stale');
    const requests = proxy.seen.filter((line) => line.includes('events'));
    // One request would be enough, if the second job had not joined meanwhile.
    expect(requests.filter((line) => !line.includes('wait=')).length).toBeLessThanOrEqual(2);
    expect(requests.filter((line) => line.includes('wait=')).length).toBeGreaterThan(1);
  });

  it('that withholds bodies polls on with a new token when its token expires, and ends if there is none', async () => {
    const proxy = await behind(isStream);
    const sign = signer(headway.env.TOKEN_SECRET!);
    /** Expires during a poll: polls wait for three seconds. */
    const brief = (): Promise<string> => sign({ sub: 'ada' }, new Date(Date.now() + 3000));
    const turns = randomUUID();
    const { id } = await createClient<AnyJobs>({ url: headway.api.url, token: await sign() }).startJob(
      'steered',
      {
        turns,
      },
    );
    const tokens: string[] = [];
    const token = async (): Promise<string> => {
      tokens.push(await brief());
      return tokens.at(-1)!;
    };
    const follow = (token: ClientOptions['token']) => {
      const logs: string[] = [];
      const ended = new Promise<ProblemError | undefined>((resolve) => {
        createClient({ url: proxy.url, mutedMs: 300, token }).watchJob(id, {
          onEvent: ({ event, data }) => void (event === 'log' && logs.push(data.message)),
          onEnd: resolve,
        });
      });
      return { logs, ended };
    };
    const [renewed, expiring] = [follow(token), follow(await brief())];
    await headway.connection.lpush(turns, 'log one');
    await until('both saw it', () => renewed.logs.length === 1 && expiring.logs.length === 1);
    expect(await expiring.ended).toMatchObject({ status: 401, code: 'invalid-token' });
    const { length } = tokens;
    await until('a new token was used', () => tokens.length > length);
    await headway.connection.lpush(turns, 'log two');
    await headway.connection.lpush(turns, 'end');
    expect(await renewed.ended).toBeUndefined();
    expect(renewed.logs).toEqual(['one', 'two']);
    expect(expiring.logs).toEqual(['one']);
  });

  it('that withholds bodies misses nothing of a channel between two polls', async () => {
    const proxy = await behind(isStream);
    const name = `public.${randomUUID()}`;
    const client = createClient({ url: proxy.url, mutedMs: 300 });
    const seen: unknown[] = [];
    const statuses: Status[] = [];
    const channel = client.watchChannel(name, {
      onEvent: ({ data }) => void seen.push(data),
      onStatus: (status) => void statuses.push(status),
    });
    onTestFinished(() => channel.close());
    await until('it is live', () => statuses.at(-1) === 'live');
    for (let i = 0; i < 30; i++) {
      await call(`${headway.api.url}/v1/channels/${name}`, 'POST', undefined, { data: i });
    }
    await until('all are seen', () => seen.length >= 30);
    expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  it('that cuts streams polls after three of them, and sees everything once', async () => {
    const proxy = await behind((req) => (req.url!.includes('wait=') ? 'pass' : { cutAfterMs: 200 }));
    const { statuses, say, logs, ended } = await watch({ url: proxy.url });
    await say('log one');
    await until('it polls', () => proxy.seen.some((line) => line.includes('wait=')));
    expect(proxy.seen.filter((line) => /events( |\?|$)(?!.*wait=)/.test(line))).toHaveLength(3);
    await until('it is live', () => statuses.at(-1) === 'live');
    await say('log two', 'end');
    await ended;
    expect(logs()).toEqual(['one', 'two']);
  });

  it('that drops everything silently is stale at once, and live over another connection', async () => {
    const proxy = await startProxy(Number(new URL(headway.api.url).port));
    onTestFinished(() => proxy.stop());
    const { statuses, say, logs, ended } = await watch({
      url: `http://127.0.0.1:${proxy.port}`,
      // How long a silent connection is kept after it is stale.
      silenceMs: 1000,
    });
    await until('it is live', () => statuses.at(-1) === 'live');
    await say('log one');
    await until('it is seen', () => logs().length === 1);
    proxy.freeze();
    const frozenAt = performance.now();
    await say('log two');
    await until('it is stale', () => statuses.at(-1) === 'stale');
    expect(performance.now() - frozenAt).toBeLessThan(5000);
    await until('it is live again', () => statuses.at(-1) === 'live' && logs().length === 2);
    expect(performance.now() - frozenAt).toBeLessThan(10_000);
    await say('end');
    await ended;
    expect(logs()).toEqual(['one', 'two']);
  });
});
