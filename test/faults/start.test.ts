import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { clientOf } from '../support/client.js';
import { startApi, temporaryFolder } from '../support/processes.js';
import { freePort, startRedis } from '../support/redis.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

const ends: Array<() => unknown> = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Started {
  child: ChildProcess;
  output(): string;
}

/** Starts a process without waiting until it is ready. */
function run(name: 'api' | 'worker', env: Record<string, string>): Started {
  const child = spawn(process.execPath, [`dist/${name}/main.js`], {
    env: { PATH: process.env.PATH, DATA_DIR: temporaryFolder(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (data) => (output += data));
  ends.push(() => child.kill('SIGKILL'));
  return { child, output: () => output };
}

describe('a process that is started while Redis is away', () => {
  it('says what it waits for, answers health checks, and begins when Redis is there', async () => {
    const redis = await startRedis();
    ends.push(() => redis.stop());
    await redis.kill();
    const PORT = String(await freePort());
    const env = {
      REDIS_URL: redis.url.replace('redis://', 'redis://:secret@'),
      DATA_DIR: temporaryFolder(),
      SHUTDOWN_GRACE_MS: '600000',
    };
    const processes = [run('api', { ...env, PORT }), run('worker', env)];
    const others = [run('api', { ...env, PORT: '0' }), run('worker', env)];
    for (const { output } of [...processes, ...others]) {
      await until('it says what it waits for', () =>
        output().includes(
          `waiting for Redis at redis://[redacted]@127.0.0.1:${redis.port}: connect ECONNREFUSED`,
        ),
      );
      expect(output()).not.toContain('secret');
    }
    // One line every few seconds, not one for each attempt to connect.
    for (const { output } of processes) expect(output().match(/waiting for Redis/g)!.length).toBeLessThan(10);

    const exits = others.map(({ child }) => once(child, 'exit'));
    for (const { child } of others) child.kill('SIGTERM');
    expect(await Promise.all(exits)).toEqual([
      [0, null],
      [0, null],
    ]);

    const url = `http://127.0.0.1:${PORT}`;
    const [health, ready, job] = await Promise.all([
      fetch(`${url}/healthz`),
      fetch(`${url}/readyz`),
      clientOf(url).post({ name: 'steps', data: { count: 1, intervalMs: 1 } }),
    ]);
    expect([health.status, await health.json()]).toMatchObject([200, { status: 'ok' }]);
    expect([ready.status, await ready.json()]).toMatchObject([503, { code: 'unavailable' }]);
    expect([job.status, job.headers.get('retry-after')]).toEqual([503, '2']);
    const stream = await openStream(`${url}/stream?channel=public.news`);
    await stream.ended;
    expect([stream.status, stream.retry! >= 1000]).toEqual([200, true]);

    // Without a password configured, Redis accepts any.
    await redis.restart();
    await until('the API is ready', async () => (await fetch(`${url}/readyz`)).ok);
    const started = await clientOf(url).start('steps', { count: 1, intervalMs: 1 });
    const watched = await openStream(clientOf(url).events(started), { token: started.token });
    await watched.ended;
    expect(watched.names().at(-1)).toBe('completed');
  });

  it('reports at once that its port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    ends.push(() => other.close());
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const failed = await startApi({
      PORT: String(port),
      REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
    }).catch((error: { code: number; output: string }) => error);
    expect(failed).toMatchObject({ code: 78, output: expect.stringContaining(`PORT: ${port} is in use`) });
  });
});
