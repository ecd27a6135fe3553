import { request } from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyText } from '../../support/any-text.js';
import type { Headway } from '../../support/headway.js';
import { borrowHeadway } from '../../support/shared-headway.js';
import { openStream } from '../../support/sse.js';
import { call } from '../../support/tokens.js';

describe('hostile input', () => {
  let headway: Headway;
  let url: string;
  beforeAll(async () => {
    headway = await borrowHeadway();
    url = headway.api.url;
  });
  afterAll(() => headway.stop());

  const text = fc.oneof(
    anyText(),
    fc.string({
      unit: fc.constantFrom(
        '\n',
        '\r',
        '\0',
        '\u2028',
        '\uFEFF',
        ':',
        ' ',
        'id',
        'data',
        'event',
        'end',
        'x',
      ),
    }),
  );
  const event = fc.record(
    {
      event: fc.oneof(text, fc.constantFrom('error', 'open', 'message', '__proto__')),
      data: fc.oneof(text, fc.jsonValue({ noUnicodeString: false } as never) as fc.Arbitrary<unknown>),
      id: fc.oneof(text, fc.stringMatching(/^[!-~]{1,20}$/)),
      retry: fc.oneof(fc.nat(100_000), fc.constantFrom(-1, 1.5, 1e20)),
      kind: fc.constantFrom('log', 'state'),
      key: text,
    },
    { requiredKeys: ['data'] },
  );

  it('is refused, or parsed by a conforming client as exactly what was published', async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 10 }), async (events) => {
        const channel = `public.hostile.${round++}`;
        const stream = await openStream(`${url}/stream?channel=${channel}`);
        const expected: unknown[] = [];
        for (const one of events) {
          const answer = await call(`${url}/v1/channels/${channel}`, 'POST', undefined, one);
          if (answer.status === 400) continue;
          expect(answer.status).toBe(200);
          const { id } = (await answer.json()) as { id: string };
          // Compare with the event after conversion to JSON, because it was sent as JSON.
          const { data, event: name = 'message', id: own } = JSON.parse(JSON.stringify(one)) as typeof one;
          const lines = typeof data === 'string' ? data.replace(/\r\n?/g, '\n') : data;
          expected.push({ id: own === undefined ? id : `${id}:${own}`, event: name, data: lines });
        }
        await call(`${url}/v1/channels/${channel}`, 'POST', undefined, { event: 'the-end', data: 0 });
        await stream.waitFor('the-end');
        stream.close();
        const seen = stream.events.slice(0, -1).map((received, i) => {
          // The test client parses JSON, but a string is sent unchanged: compare with the raw data.
          const wanted = (expected[i] as { data: unknown } | undefined)?.data;
          return typeof wanted === 'string' && typeof received.data !== 'string'
            ? { ...received, data: rawData(stream.raw(), i) }
            : received;
        });
        expect(seen).toEqual(expected);
      }),
      { numRuns: 80 },
    );
  }, 60_000);

  /** Returns the data of the n-th event as received. */
  function rawData(raw: string, n: number): string {
    const frames = raw.split('\n\n').filter((frame) => /^(id|data|event):/m.test(frame));
    const lines = frames[n]!.split('\n').filter((line) => line.startsWith('data: '));
    return lines.map((line) => line.slice('data: '.length)).join('\n');
  }

  it('in channel names does not escape the key prefix', async () => {
    const before = new Set(await headway.connection.keys('*'));
    await fc.assert(
      fc.asyncProperty(text, async (name) => {
        const at = `${url}/v1/channels/${encodeURIComponent(`public.${name}`)}`;
        const answer = await call(at, 'POST', undefined, { data: 1 });
        expect([200, 400, 401, 404]).toContain(answer.status);
      }),
      { numRuns: 120 },
    );
    const made = (await headway.connection.keys('*')).filter((key) => !before.has(key));
    for (const key of made)
      expect(key).toMatch(/^headway:\{public\.[A-Za-z0-9._:~@-]*\}(:log|:slots)?$|^\{headway\}/);
  });

  it.each([
    ['a header of 64 KB', { 'X-Long': 'x'.repeat(65_536) }, '/stream?channel=public.x', [431]],
    ['a Last-Event-ID of 15 KB', { 'Last-Event-ID': 'x'.repeat(15_000) }, '/stream?channel=public.x', [200]],
    [
      'a Last-Event-ID of commas',
      { 'Last-Event-ID': ','.repeat(10_000) },
      '/stream?channel=public.x&channel=public.y',
      [200],
    ],
    ['a token of 12 KB', { Authorization: `Bearer ${'x.'.repeat(6000)}` }, '/stream?channel=public.x', [401]],
    [
      'a cookie of 12 KB',
      { Cookie: `headway_token=${'x'.repeat(12_000)}` },
      '/stream?channel=public.x',
      [401],
    ],
    [
      'ten thousand channels',
      {},
      `/stream?${Array.from({ length: 10_000 }, (_, i) => `channel=public.${i}`).join('&')}`,
      [400, 431],
    ],
    [
      'a thousand channels with short names',
      {},
      `/stream?${Array.from({ length: 1000 }, (_, i) => `channel=${String.fromCharCode(97 + (i % 26))}${i}`).join('&')}`,
      [400],
    ],
    ['a query that is an object', {}, '/stream?channel[__proto__]=x', [401]],
    ['brackets', {}, '/stream?channel=public.x&token[]=x&last[]=1', [200]],
  ])('is harmless: %s', async (_what, headers, path, statuses) => {
    const status = await new Promise<number>((resolve, reject) => {
      const req = request(
        `${url}${path}`,
        { headers: { Accept: 'text/event-stream', ...headers } },
        (res) => {
          resolve(res.statusCode!);
          res.destroy();
        },
      );
      req.on('error', reject);
      req.end();
    });
    expect(statuses).toContain(status);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  it('in the form of a half-open connection does not keep a stream open', async () => {
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    let got = '';
    socket.setEncoding('utf8').on('data', (chunk) => (got += chunk));
    socket.write(
      'GET /stream?channel=public.half HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n',
    );
    await new Promise<void>((resolve) => socket.once('data', () => resolve()));
    expect(got).toContain('200 OK');
    // The client half-closes the connection, which a browser never does.
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.end();
    await closed;
  });
});
