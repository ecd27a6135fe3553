import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { openStream } from '../support/sse.js';
import { call } from '../support/tokens.js';
import { until } from '../support/until.js';

const KIB = 1024;
const VIEWERS = 50;

/** The bytes in the kernel's send queues of a port: not sent, or not yet acknowledged. */
function sendQueueOf(port: number): number {
  const from = port.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(`:${from}`) && state === '01')
    .reduce((sum, fields) => sum + Number.parseInt(fields[4]!.split(':')[0]!, 16), 0);
}

const residentKib = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

describe('viewers that do not read', () => {
  let headway: Headway;
  const sockets: Socket[] = [];
  beforeAll(async () => {
    const CHANNEL_RULES = '[{"channel":"public.**","subscribe":"anyone","publish":"anyone"}]';
    headway = await startHeadway({ workers: 0, env: { CHANNEL_RULES } });
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  afterAll(() => headway.stop());

  const publish = async (channel: string, data: string, count = 1): Promise<void> => {
    for (let n = 0; n < count; n++) {
      const { status } = await call(`${headway.api.url}/v1/channels/${channel}`, 'POST', undefined, { data });
      expect(status).toBe(200);
    }
  };
  /** Opens streams on raw sockets that read only the first bytes. */
  async function stall(count: number, query: string): Promise<void> {
    const { port } = new URL(headway.api.url);
    const head = `GET /stream?${query} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`;
    const opened = Array.from({ length: count }, () => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(head);
      socket.once('data', () => socket.pause());
      sockets.push(socket);
      return socket;
    });
    await until('all streams are open', () => opened.every(({ bytesRead }) => bytesRead > 0));
  }
  const outputOf = async (): Promise<number> =>
    Number(/^total_net_output_bytes:(\d+)/m.exec(await headway.connection.info('stats'))![1]);

  it.runIf(process.platform === 'linux')('hold at most a frame or 64 KiB each in the kernel', async () => {
    const channel = 'public.frames';
    await stall(VIEWERS, `channel=${channel}`);
    const healthy = await openStream(`${headway.api.url}/stream?channel=${channel}`);
    // These events have 2 MB in total.
    await publish(channel, 'x'.repeat(10_000), 200);
    await publish(channel, 'the last');
    await healthy.waitFor(({ data }) => data === 'the last');
    expect(healthy.events).toHaveLength(201);
    const each = sendQueueOf(Number(new URL(headway.api.url).port)) / VIEWERS;
    expect(each).toBeGreaterThan(0);
    expect(each).toBeLessThan(64 * KIB);
    healthy.close();
  });

  it('get their history in pages', async () => {
    const channel = 'public.pages';
    await publish(channel, 'x'.repeat(100_000), 150);
    const before = await outputOf();
    const memory = process.platform === 'linux' ? residentKib(headway.api.child.pid!) : 0;
    await stall(20, `channel=${channel}&last=10000`);
    const reader = await openStream(`${headway.api.url}/stream?channel=${channel}&last=2`);
    await publish(channel, 'the last');
    await reader.waitFor(({ data }) => data === 'the last');
    expect(reader.events).toHaveLength(3);
    reader.close();
    expect((await outputOf()) - before).toBeLessThan(10_000_000);
    if (memory > 0) expect(residentKib(headway.api.child.pid!) - memory).toBeLessThan(100 * KIB);
  });

  it('cost Redis about one read of each large event when a viewer reads slowly', async () => {
    const channel = 'public.large';
    const [count, bytes] = [40, 200_000];
    await publish(channel, 'x'.repeat(bytes), count);
    const before = await outputOf();
    const { port } = new URL(headway.api.url);
    const socket = connect(Number(port), '127.0.0.1');
    sockets.push(socket);
    socket.write(
      `GET /stream?channel=${channel}&last=${count} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`,
    );
    let events = 0;
    let got = 0;
    // The viewer reads 64 KiB every 10 ms: a few megabytes a second.
    const timer = setInterval(() => {
      const data: Buffer | null = socket.read(Math.min(64 * KIB, socket.readableLength));
      if (!data) return;
      got += data.length;
      events += data.toString('latin1').split('\nid: ').length - 1;
    }, 10);
    socket.on('readable', () => {});
    try {
      await until('the viewer has everything', () => got > count * bytes, 60_000);
    } finally {
      clearInterval(timer);
    }
    expect(events).toBeGreaterThan(0);
    expect((await outputOf()) - before).toBeLessThan(1.5 * count * bytes);
  });
});
