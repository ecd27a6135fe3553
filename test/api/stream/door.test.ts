import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect, it, onTestFinished } from 'vitest';
import { StreamDoor } from '../../../src/api/stream/door.js';
import { createLogger } from '../../../src/shared/process/log.js';
import { connectRedis } from '../../../src/shared/redis/connect.js';
import { startRedis } from '../../support/redis.js';
import { openStream, type TestStream } from '../../support/sse.js';
import { until } from '../../support/until.js';

it('limits the streams that wait for Redis, and asks the others to reconnect later', async () => {
  const server = await startRedis();
  const redis = connectRedis(server.url, 'request');
  await until('it is connected', () => redis.status === 'ready');
  await server.kill();
  await until('it is away', () => redis.status !== 'ready');
  const log = createLogger({ LOG_LEVEL: 'silent' }, 'test');
  const door = new StreamDoor({ redis, heartbeatMs: 1000, maxWaiting: 3, log });
  const app = express().get(
    '/',
    door.handler(async () => void (await redis.ping())),
  );
  const http = createServer(app).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const streams: TestStream[] = [];
  onTestFinished(async () => {
    for (const stream of streams) stream.close();
    await door.close({ viewers: 0, takenOver: false, windowMs: 0 });
    redis.disconnect();
    http.closeAllConnections();
    http.close();
    await server.stop();
  });
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
  const open = async (): Promise<TestStream> => {
    const stream = await openStream(url);
    streams.push(stream);
    return stream;
  };

  const first = await Promise.all(Array.from({ length: 10 }, open));
  await until('the others have ended', async () => door.count === 3 && (await ended(first)) === 7);
  for (const { status } of first) expect(status).toBe(200);
  const tooMany = await open();
  await tooMany.ended;
  expect(tooMany.status).toBe(200);
  expect(tooMany.raw()).toMatch(/^retry: [3-5]\d{3}\n\n$/);

  // When viewers have left, another viewer may wait.
  for (const stream of first) stream.close();
  await until('they have left', () => door.count === 0);
  const next = await open();
  await until('it waits', () => next.comments.includes('waiting'));
});

/** Returns how many of the streams have ended. */
async function ended(streams: TestStream[]): Promise<number> {
  const states = streams.map((stream) =>
    Promise.race([stream.ended.then(() => true), new Promise((done) => setImmediate(done, false))]),
  );
  return (await Promise.all(states)).filter(Boolean).length;
}
