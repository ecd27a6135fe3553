import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { Handler } from '../../../src/api/http/embed.js';
import { fetchHandler } from '../../../src/api/http/fetch.js';
import { until } from '../../support/until.js';

const URL_ = 'http://shop.example/things?a=1';

/** Sends a request to a handler. */
const answerOf = (handle: Handler, init?: RequestInit, options?: { basePath?: string; address?: string }) =>
  fetchHandler(handle)(new Request(URL_, init), options);

describe('a Node handler behind the Fetch API', () => {
  it('gets the request as over HTTP, and its response is passed on', async () => {
    const { headers, status, statusText, body } = await answerOf(
      async (req, res) => {
        const { method, url, headers } = req;
        const { remoteAddress } = req.socket;
        res.statusMessage = 'Fine';
        res.setHeader('Set-Cookie', ['a=1; Path=/', 'b=2; Expires=Thu, 01 Jan 2032 00:00:00 GMT']);
        res.setHeader('Content-Type', 'application/json');
        res.writeHead(201);
        res.end(JSON.stringify({ method, url, headers, remoteAddress, sent: `${await buffer(req)}` }));
      },
      {
        method: 'PATCH',
        body: 'hello',
        headers: { Cookie: 'c=3; d=4', 'X-Own': 'ä', Connection: 'upgrade', Expect: '100-continue' },
      },
      { address: '203.0.113.9' },
    );
    expect([status, statusText]).toEqual([201, 'Fine']);
    expect(headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; Expires=Thu, 01 Jan 2032 00:00:00 GMT']);
    expect([
      headers.get('content-type'),
      headers.get('connection'),
      headers.get('transfer-encoding'),
    ]).toEqual(['application/json', null, null]);
    const seen = await new Response(body).json();
    expect(seen).toMatchObject({
      method: 'PATCH',
      url: '/things?a=1',
      remoteAddress: '203.0.113.9',
      sent: 'hello',
      headers: { host: 'shop.example', cookie: 'c=3; d=4', 'x-own': 'ä', connection: 'close' },
    });
    expect(seen.headers).not.toHaveProperty('expect');
  });

  it('has no body where the status has none, and 404 for paths that are not its own', async () => {
    const empty = await answerOf((_req, res) => void res.writeHead(204).end());
    expect([empty.status, empty.body]).toEqual([204, null]);
    const head = await answerOf((_req, res) => void res.writeHead(200, { 'X-Own': '1' }).end('text'), {
      method: 'HEAD',
    });
    expect([head.headers.get('x-own'), head.body]).toEqual(['1', null]);
    const none = await answerOf((_req, _res, next) => next());
    expect([none.status, await none.json()]).toMatchObject([404, { code: 'not-found' }]);
    const failed = await answerOf((_req, _res, next) => next(new Error('secret')));
    expect([failed.status, await failed.text()]).toEqual([500, expect.not.stringContaining('secret')]);
  });

  it('streams each chunk at once, and no further than the reader', async () => {
    let written = 0;
    const { body } = await answerOf(async (_req, res) => {
      res.write('first');
      const chunk = Buffer.alloc(16 * 1024);
      while (!res.destroyed && written < 64 * 1024 * 1024) {
        written += chunk.length;
        if (!res.write(chunk)) await new Promise((resume) => res.once('drain', resume));
      }
    });
    const reader = body!.getReader();
    const { value } = await reader.read();
    expect(Buffer.from(value!).toString()).toBe('first');
    let before = -1;
    await until('the handler waits for the reader', async () => {
      const isSame = written === before;
      before = written;
      await new Promise(setImmediate);
      return isSame;
    });
    expect(written).toBeLessThan(512 * 1024);
    for (let read = 0; read < 1024 * 1024; ) read += (await reader.read()).value!.length;
    expect(written).toBeGreaterThanOrEqual(1024 * 1024);
    await reader.cancel();
  });

  it('reads an upload no faster than the handler, and ends it if it is refused', async () => {
    let pulled = 0;
    let cancelled = false;
    const upload = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          pulled += 16 * 1024;
          controller.enqueue(new Uint8Array(16 * 1024));
          if (pulled === 2 * 1024 * 1024) controller.close();
        },
        cancel: () => {
          cancelled = true;
        },
      });
    const init = () => ({ method: 'POST', body: upload(), duplex: 'half' }) as RequestInit;
    let proceed = (): void => {};
    const answered = answerOf(async (req, res) => {
      await new Promise<void>((resolve) => {
        proceed = resolve;
      });
      res.end(`${(await buffer(req)).length}`);
    }, init());
    let before = -1;
    await until('the upload waits for the handler', async () => {
      const isSame = pulled === before && pulled > 0;
      before = pulled;
      await new Promise(setImmediate);
      return isSame;
    });
    expect(pulled).toBeLessThan(1024 * 1024);
    proceed();
    expect(await (await answered).text()).toBe(`${2 * 1024 * 1024}`);

    pulled = 1;
    const refused = await answerOf((_req, res) => void res.writeHead(413).end('too large'), init());
    expect([refused.status, await refused.text()]).toEqual([413, 'too large']);
    await until('the rest is not read', () => cancelled);
  });

  it('sees that the client has left: by its signal, or because the body is not read further', async () => {
    let left = 0;
    const forever: Handler = (_req, res) => {
      res.write('first');
      res.once('close', () => left++);
    };
    const abort = new AbortController();
    const { body } = await answerOf(forever, { signal: abort.signal });
    const reader = body!.getReader();
    await reader.read();
    const next = reader.read();
    abort.abort(new Error('left'));
    await expect(next).rejects.toThrow();
    await until('the handler knows', () => left === 1);

    const other = await answerOf(forever);
    await other.body!.cancel();
    await until('the handler knows', () => left === 2);

    const early = new AbortController();
    const unanswered = answerOf(() => early.abort(new Error('left early')), { signal: early.signal });
    await expect(unanswered).rejects.toThrow('left early');
    await expect(answerOf(forever, { signal: early.signal })).rejects.toThrow('left early');
  });

  it('passes on that the handler has cut the connection', async () => {
    await expect(answerOf((req) => void req.socket.destroy())).rejects.toThrow();
    const { body } = await answerOf((_req, res) => {
      res.write('first');
      setImmediate(() => res.destroy());
    });
    await expect(new Response(body).text()).rejects.toThrow();
  });

  it('says it if the body has been read before', async () => {
    const request = new Request(URL_, { method: 'POST', body: 'x' });
    await request.text();
    await expect(fetchHandler(() => {})(request)).rejects.toThrow('has been read');
  });
});
