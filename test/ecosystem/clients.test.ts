import { readFileSync } from 'node:fs';
import { EventSource } from 'eventsource';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import type { StartedJob } from '../support/client.js';
import { type Cutter, startCutter } from '../support/cutter.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { openToAll } from '../support/rules.js';
import { until } from '../support/until.js';

/** An event as a client fires it. */
interface Fired {
  event: string;
  data: string;
  id: string;
}

/** A stream, read by a client from another project. */
interface Reading {
  fired(): Promise<Fired[]>;
  /** Whether the client has closed the stream for good. */
  over(): Promise<boolean>;
  close(): Promise<void>;
}

interface Client {
  name: string;
  /** @param names the events to listen for, besides `message` */
  open(url: string, names: string[]): Promise<Reading>;
  close(): Promise<void>;
}

const CLOSED = 2;

/** npm `eventsource` 4. */
function nodeClient(): Client {
  return {
    name: 'npm eventsource',
    async open(url, names) {
      const fired: Fired[] = [];
      const source = new EventSource(url);
      for (const name of ['message', ...names]) {
        source.addEventListener(name, ({ data, lastEventId: id }) => fired.push({ event: name, data, id }));
      }
      return {
        fired: async () => fired,
        over: async () => source.readyState === CLOSED,
        close: async () => source.close(),
      };
    },
    close: async () => {},
  };
}

/** The `EventSource` of Chromium, in a page of the same origin. */
function browserClient(browser: Browser): Client {
  const pages: Page[] = [];
  return {
    name: 'Chromium',
    async open(url, names) {
      const page = await browser.newPage();
      pages.push(page);
      await page.goto(new URL('/healthz', url).href);
      await page.evaluate(`
        window.fired = [];
        window.source = new EventSource(${JSON.stringify(url)});
        for (const event of ${JSON.stringify(['message', ...names])}) {
          source.addEventListener(event, ({ data, lastEventId: id }) => fired.push({ event, data, id }));
        }`);
      return {
        fired: () => page.evaluate<Fired[]>('fired'),
        over: () => page.evaluate<boolean>('source.readyState === EventSource.CLOSED'),
        close: () => page.close(),
      };
    },
    close: async () => void (await Promise.all(pages.map((page) => page.close()))),
  };
}

const script = (path: string): string => readFileSync(`node_modules/${path}`, 'utf8');

/** htmx with its SSE extension, which opens an `EventSource` itself and swaps the data into the page. */
function htmxClient(browser: Browser): Client {
  const pages: Page[] = [];
  return {
    name: 'htmx',
    async open(url, names) {
      const page = await browser.newPage();
      pages.push(page);
      await page.goto(new URL('/healthz', url).href);
      await page.addScriptTag({ content: script('htmx.org/dist/htmx.min.js') });
      await page.addScriptTag({ content: script('htmx-ext-sse/dist/sse.min.js') });
      await page.evaluate(`
        window.fired = [];
        const swaps = ${JSON.stringify(['message', ...names])}
          .map((name) => '<div sse-swap="' + name + '"></div>').join('');
        document.body.addEventListener('htmx:sseBeforeMessage', ({ detail }) =>
          fired.push({ event: detail.type, data: detail.data, id: detail.lastEventId }));
        document.body.innerHTML = '<main hx-ext="sse" sse-connect="' + ${JSON.stringify(url)} + '">' + swaps + '</main>';
        htmx.createEventSource = (url) => (window.source = new EventSource(url));
        htmx.process(document.body);`);
      return {
        fired: () => page.evaluate<Fired[]>('fired'),
        over: () => page.evaluate<boolean>('source.readyState === EventSource.CLOSED'),
        close: () => page.close(),
      };
    },
    close: async () => void (await Promise.all(pages.map((page) => page.close()))),
  };
}

describe('clients from other projects', () => {
  let headway: Headway;
  let browser: Browser;
  const clients: Record<string, Client> = {};
  let cutter: Cutter;
  let channels = 0;
  beforeAll(async () => {
    [headway, browser] = await Promise.all([
      // Heartbeats are sent between all events.
      startHeadway({ env: { ...openToAll, HEARTBEAT_MS: '100' } }),
      startBrowser(),
    ]);
    for (const client of [nodeClient(), browserClient(browser), htmxClient(browser)]) {
      clients[client.name] = client;
    }
    cutter = await startCutter(headway.api.url);
  });
  afterEach(() => Promise.all(Object.values(clients).map((client) => client.close())));
  afterAll(async () => {
    await cutter.stop();
    await browser.close();
    await headway.stop();
  });

  const newChannel = (): string => `public.clients.${channels++}`;
  async function publish(channel: string, event: Record<string, unknown>): Promise<string> {
    const response = await fetch(`${headway.api.url}/v1/channels/${channel}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(event),
    });
    const { id } = (await response.json()) as { id: string };
    expect(response.status).toBe(200);
    return event.id ? `${id}:${event.id}` : id;
  }
  const follow = (...names: string[]): string =>
    `${cutter.url}/stream?last=100&channel=${names.join('&channel=')}`;
  /** Waits until `count` events were fired, and returns all of them. */
  const firedBy = (reading: Reading, count: number): Promise<Fired[]> =>
    until(`${count} events`, async () => {
      const fired = await reading.fired();
      return fired.length >= count ? fired : undefined;
    });

  const FIELDS: Array<[what: string, published: Record<string, unknown>, event: string, data: string]> = [
    ['an event with a name', { event: 'score', data: 'four' }, 'score', 'four'],
    ['an event without a name', { data: 'plain' }, 'message', 'plain'],
    ['JSON', { event: 'score', data: { runs: [4, 6], by: null } }, 'score', '{"runs":[4,6],"by":null}'],
    ['data of several lines', { data: 'one\ntwo\r\nthree\rfour' }, 'message', 'one\ntwo\nthree\nfour'],
    ['empty lines in data', { data: '\n\nthird\n\n' }, 'message', '\n\nthird\n\n'],
    [
      'data that begin with a space or a colon',
      { data: '  two spaces\n: no comment' },
      'message',
      '  two spaces\n: no comment',
    ],
    [
      'data that look like fields',
      { data: 'x\nevent: score\nid: 7\nretry: 1' },
      'message',
      'x\nevent: score\nid: 7\nretry: 1',
    ],
    [
      'Unicode',
      { event: 'score', data: 'Grüße, 世界 👩‍🚀 \u2028\u2029\u0085\ufeff!' },
      'score',
      'Grüße, 世界 👩‍🚀 \u2028\u2029\u0085\ufeff!',
    ],
    ['a NUL in data', { data: 'a\0b' }, 'message', 'a\0b'],
    ['100 KB', { data: 'ü'.repeat(50_000) }, 'message', 'ü'.repeat(50_000)],
    ['an id of the publisher', { event: 'score', data: '1', id: 'ball-7' }, 'score', '1'],
  ];

  for (const name of ['npm eventsource', 'Chromium', 'htmx']) {
    describe(name, () => {
      it('fires each event as it was published', async () => {
        const channel = newChannel();
        const reading = await clients[name]!.open(follow(channel), ['score']);
        const ids: string[] = [];
        for (const [, published] of FIELDS) ids.push(await publish(channel, published));
        const fired = await firedBy(reading, FIELDS.length);
        const expected = FIELDS.map(([what, , event, data], i) => ({ what, event, data, id: ids[i] }));
        expect(fired.map((one, i) => ({ what: FIELDS[i]?.[0], ...one }))).toEqual(expected);
        await reading.close();
      });

      it('reconnects after a cut, with the reconnection time of the stream, and misses nothing', async () => {
        const channel = newChannel();
        const reading = await clients[name]!.open(follow(channel), []);
        await publish(channel, { data: '1', retry: 400 });
        const [first] = await firedBy(reading, 1);
        const before = cutter.requests.length;
        const cutAt = Date.now();
        cutter.cut();
        for (const data of ['2', '3']) await publish(channel, { data });
        await until('the client has reconnected', () => cutter.requests.length > before);
        // Without `retry: 400`, the client would wait for 2 s or more.
        expect(Date.now() - cutAt).toBeGreaterThanOrEqual(390);
        expect(Date.now() - cutAt).toBeLessThan(1900);
        expect(cutter.requests.at(-1)).toMatch(new RegExp(`^last-event-id: ${first!.id}\\r$`, 'im'));
        await publish(channel, { data: '4' });
        expect((await firedBy(reading, 4)).map(({ data }) => data)).toEqual(['1', '2', '3', '4']);
        await reading.close();
      });

      it('follows several channels over one connection, and resumes all of them', async () => {
        const [one, other] = [newChannel(), newChannel()];
        const reading = await clients[name]!.open(follow(one, other), []);
        await publish(one, { data: 'one 1', retry: 100 });
        await publish(other, { data: 'other 1' });
        await firedBy(reading, 2);
        cutter.cut();
        await publish(one, { data: 'one 2' });
        await publish(other, { data: 'other 2' });
        const fired = (await firedBy(reading, 4)).map(({ data }) => data);
        expect(fired.slice(0, 2).sort()).toEqual(['one 1', 'other 1']);
        expect(fired.slice(2).sort()).toEqual(['one 2', 'other 2']);
        await reading.close();
      });

      it('is not disturbed by heartbeats', async () => {
        const channel = newChannel();
        const reading = await clients[name]!.open(follow(channel), []);
        await publish(channel, { data: 'before' });
        const raw = await fetch(`${headway.api.url}/stream?channel=${channel}`);
        const reader = raw.body!.pipeThrough(new TextDecoderStream()).getReader();
        let seen = '';
        while (seen.split(/: next \d+\n\n/).length < 4) seen += (await reader.read()).value;
        await reader.cancel();
        await publish(channel, { data: 'after' });
        expect((await firedBy(reading, 2)).map(({ data }) => data)).toEqual(['before', 'after']);
        await reading.close();
      });

      // After a 204, htmx's extension opens a new connection by itself. examples/htmx shows how to close it.
      if (name === 'htmx') return;
      it('watches a job to its end and does not reconnect', async () => {
        const job: StartedJob = await headway.client.start('steps', { count: 3, intervalMs: 10 });
        const reading = await clients[name]!.open(`${cutter.url}${job.links.events}?token=${job.token}`, [
          'waiting',
          'active',
          'log',
          'completed',
        ]);
        // When the server has ended the stream, the client reconnects once and gets 204.
        await until('the client has closed the stream', () => reading.over());
        const fired = await reading.fired();
        expect(fired.map(({ event }) => event)).toEqual(['waiting', 'active', 'log', 'completed']);
        expect(cutter.requests.at(-1)).toMatch(new RegExp(`^last-event-id: ${fired.at(-1)!.id}\\r$`, 'im'));
        await reading.close();
      });
    });
  }
});
