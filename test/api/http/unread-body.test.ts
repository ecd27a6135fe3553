import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Headway } from '../../support/headway.js';
import { borrowHeadway } from '../../support/shared-headway.js';

const MIB = 1024 * 1024;
/** More than a process discards while a connection lingers, with room for the buffers of two sockets. */
const TOO_MUCH = 64 * MIB;

describe('the rest of a body whose request is answered', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(async () => {
    await headway.stop();
  });

  /** Sends a request with a body of 1 GiB, and the body as fast as it is taken. */
  async function flood(head: string): Promise<{ answer: string; taken: number }> {
    const socket = connect(Number(new URL(headway.api.url).port), '127.0.0.1');
    socket.on('error', () => {});
    let answer = '';
    socket.on('data', (data) => {
      answer += data.toString('latin1');
    });
    socket.write(`${head}\r\nHost: 127.0.0.1\r\nContent-Length: ${1024 * MIB}\r\n\r\n`);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const chunk = Buffer.alloc(MIB);
    while (!socket.destroyed && socket.bytesWritten < 2 * TOO_MUCH) await write(socket, chunk);
    const taken = socket.bytesWritten;
    socket.destroy();
    await closed;
    return { answer, taken };
  }

  it('is read for a while only', async () => {
    const heads = {
      400: 'POST /v1/files HTTP/1.1\r\nContent-Type: application/octet-stream',
      415: 'POST /v1/jobs HTTP/1.1\r\nContent-Type: text/plain',
      200: 'GET /v1/definitions HTTP/1.1',
      404: 'POST /nothing HTTP/1.1\r\nContent-Type: text/plain',
    };
    const floods = await Promise.all(
      Object.entries(heads).map(async ([status, head]) => ({ status, ...(await flood(head)) })),
    );
    for (const { status, answer, taken } of floods) {
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(taken, status).toBeLessThan(TOO_MUCH);
    }
  });
});

/** Resolves when the socket has taken the bytes, or is closed. */
const write = (socket: Socket, bytes: Buffer): Promise<unknown> =>
  new Promise((resolve) => {
    socket.once('close', resolve);
    socket.write(bytes, () => {
      socket.off('close', resolve);
      resolve(undefined);
    });
  });
