import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { checkRedis, connectRedis, redactRedisUrl } from '../../../src/shared/redis/connect.js';
import { startApi, temporaryFolder } from '../../support/processes.js';
import { freePort, startRedis } from '../../support/redis.js';

/** A server that answers INFO like an old Redis, and no other command. */
function oldRedis(version: string): Promise<{ server: Server; url: string }> {
  const info = `# Server\r\nredis_version:${version}\r\n`;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      for (let i = data.toString().split('*').length - 1; i > 0; i--) {
        socket.write(
          data.toString().toLowerCase().includes('info') ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n',
        );
      }
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({ server, url: `redis://127.0.0.1:${(server.address() as { port: number }).port}` });
    });
  });
}

describe('a Redis', () => {
  const ends: Array<() => unknown> = [];
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  it('older than 6.2 is rejected with a one-line message', async () => {
    const { server, url } = await oldRedis('6.0.16');
    const redis = connectRedis(url, 'patient');
    ends.push(
      () => redis.disconnect(),
      () => server.close(),
    );
    await expect(checkRedis(redis, url)).rejects.toThrow(
      'Redis 6.0.16 is too old: Headway needs Redis 6.2 or newer, or Valkey',
    );
  });

  it('that does not respond ends a process with a one-line message without the password, and exit code 78', async () => {
    const port = await freePort();
    const error = (await startApi({ REDIS_URL: `redis://me:secret@127.0.0.1:${port}` }).catch((e) => e)) as {
      code: number;
      output: string;
    };
    expect(error.code).toBe(78);
    expect(error.output).toMatch(
      `error: no Redis responds at redis://***@127.0.0.1:${port}: connect ECONNREFUSED`,
    );
    expect(error.output).not.toContain('secret');
    expect(redactRedisUrl('redis://:p@h:1/0')).toBe('redis://***@h:1/0');
  });

  it('that may evict keys causes a warning', async () => {
    const server = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    ends.push(() => server.stop());
    const api = await startApi({ REDIS_URL: server.url });
    ends.unshift(() => api.kill());
    expect(api.output()).toMatch(
      /maxmemory-policy is \\"allkeys-lru\\"\. Run: CONFIG SET maxmemory-policy noeviction/,
    );
  });

  it('is reachable through a Unix socket', async () => {
    const socket = `${temporaryFolder()}/redis.sock`;
    const server = await startRedis({ args: ['--unixsocket', socket] });
    const redis = connectRedis(`unix:${socket}`, 'request');
    ends.push(
      () => redis.disconnect(),
      () => server.stop(),
    );
    expect(await checkRedis(redis, `unix:${socket}`)).toMatchObject({ sharded: true });
  });
});
