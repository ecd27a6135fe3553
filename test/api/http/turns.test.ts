import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2, constants, createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate as turnOver } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createTurns, inTurns } from '../../../src/api/http/turns.js';

const busy = (ms: number): void => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};

describe('work in turns', () => {
  it('is done at once while the turn lasts, and keeps its order after that', async () => {
    const turns = createTurns(5);
    const done: number[] = [];
    const work = (index: number, ms: number) =>
      turns(() => {
        busy(ms);
        done.push(index);
      });
    work(0, 0);
    work(1, 6);
    work(2, 0);
    work(3, 0);
    expect(done).toEqual([0, 1]);
    await turnOver();
    work(4, 0);
    expect(done).toEqual([0, 1, 2, 3, 4]);
  });

  it('lets other work through after each turn', async () => {
    const turns = createTurns(2);
    let done = 0;
    for (let i = 0; i < 20; i++) {
      turns(() => {
        busy(1);
        done++;
      });
    }
    const seen: number[] = [];
    while (done < 20) {
      await turnOver();
      seen.push(done);
    }
    expect(seen.length).toBeGreaterThanOrEqual(9);
  });

  it('goes on after work that fails', async () => {
    const turns = createTurns(0);
    const done: string[] = [];
    turns(() => done.push('first'));
    turns(() => {
      throw new Error('failed on purpose');
    });
    turns(() => done.push('third'));
    const listeners = process.rawListeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const failed = once(process, 'uncaughtException');
    try {
      expect(String((await failed)[0])).toContain('failed on purpose');
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener as () => void);
    }
    await turnOver();
    expect(done).toEqual(['first', 'third']);
  });

  it('leaves out requests whose connection has ended while they waited', async () => {
    const handled: string[] = [];
    const waiting: (() => void)[] = [];
    const server = createServer(
      inTurns(
        (work) => void waiting.push(work),
        (request, response) => {
          handled.push(request.url!);
          response.end();
        },
      ),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const ask = async (path: string) => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      const asked = once(server, 'request');
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      return { socket: socket.resume(), response: (await asked)[1] };
    };
    const gone = await ask('/gone');
    const here = await ask('/here');
    const closed = once(gone.response, 'close');
    gone.socket.destroy();
    await closed;
    for (const work of waiting) work();
    await once(here.socket, 'end');
    expect(handled).toEqual(['/here']);
    server.close();
  });

  it('leaves out requests of HTTP/2 that were reset while they waited', async () => {
    const handled: string[] = [];
    const waiting: (() => void)[] = [];
    const handle = inTurns(
      (work) => void waiting.push(work),
      (request, response) => {
        handled.push(request.url!);
        response.end();
      },
    );
    const server = createHttp2Server()
      .on('request', handle as never)
      .listen(0, '127.0.0.1');
    await once(server, 'listening');
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const ask = async (path: string) => {
      const asked = once(server, 'request');
      const stream = session.request({ ':path': path });
      stream.on('error', () => {});
      return { stream: stream.resume(), response: (await asked)[1] };
    };
    const gone = await ask('/gone');
    const here = await ask('/here');
    const closed = once(gone.response, 'close');
    gone.stream.close(constants.NGHTTP2_CANCEL);
    await closed;
    for (const work of waiting) work();
    await once(here.stream, 'close');
    expect(handled).toEqual(['/here']);
    session.close();
    server.close();
  });
});
