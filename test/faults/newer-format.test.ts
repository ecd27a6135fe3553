import { once } from 'node:events';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHeadway, type Headway as Embedded } from '../../src/api/headway.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startApi, startWorker } from '../support/processes.js';
import { until } from '../support/until.js';

const MESSAGE = /the data in Redis has format 2, written by a newer release/;

describe('a Redis whose data a newer release has changed', () => {
  let headway: Headway;
  let embedded: Embedded;
  beforeAll(async () => {
    headway = await startHeadway();
    embedded = await createHeadway({ redis: headway.redis.url, jobs: [], settings: { LOG_LEVEL: 'silent' } });
  });
  afterAll(async () => {
    await embedded.close();
    await headway.stop();
  });

  it('ends running processes with a line that says why, closes an embedded API, and starts no process', async () => {
    const server = express().use(embedded.router).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const ready = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status;
    expect(await ready()).toBe(200);
    const { api, workers, connection, env } = headway;
    const ends = [api, ...workers].map(async ({ child, output }) => {
      await once(child, 'close');
      return { code: child.exitCode, output: output() };
    });
    await connection.set('headway:format', '2');
    await connection.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    for (const { code, output } of await Promise.all(ends)) {
      expect(code).toBe(78);
      expect(output).toMatch(MESSAGE);
      expect(output).toContain('"level":60');
    }
    await until('the embedded API is closed', async () => (await ready()) === 503);
    for (const start of [startApi, startWorker]) {
      const error = await start(env).catch((error) => error);
      expect(error).toMatchObject({ code: 78 });
      expect(error.output).toMatch(/^error: the data in Redis has format 2/m);
    }
    expect(await connection.get('headway:format')).toBe('2');
    server.close();
  });
});
