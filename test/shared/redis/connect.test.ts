import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { checkRedisServer } from '../../../src/client/cli/doctor/redis.js';
import { checkRedis } from '../../../src/shared/redis/await.js';
import { connectRedis } from '../../../src/shared/redis/connect.js';
import { redactRedisUrl } from '../../../src/shared/redis/unusable.js';
import { startApi, temporaryFolder } from '../../support/processes.js';
import { freePort, openNode, openRedis, startRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

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

  it('that is away is reported at its first error', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`;
    const redis = connectRedis(url, 'patient');
    const abort = new AbortController();
    const lines: string[] = [];
    const checked = checkRedis(redis, { url, onWait: (line) => lines.push(line), signal: abort.signal });
    checked.catch(() => {});
    await once(redis, 'error').catch(() => {});
    expect(lines).toEqual([expect.stringContaining(`waiting for Redis at ${url}: connect ECONNREFUSED`)]);
    abort.abort();
    await expect(checked).rejects.toThrow('no Redis responds');
    redis.disconnect();
  });

  it('older than 6.2 is rejected with a one-line message', async () => {
    const { server, url } = await oldRedis('6.0.16');
    const redis = connectRedis(url, 'patient');
    ends.push(
      () => redis.disconnect(),
      () => server.close(),
    );
    await expect(checkRedis(redis, { url })).rejects.toThrow(
      'Redis 6.0.16 is too old: Headway needs Redis 6.2 or newer, or Valkey',
    );
  });

  it('that waiting does not mend is rejected, with what to change and without the password', async () => {
    const [server, cluster] = await Promise.all([
      startRedis({ args: ['--databases', '2'] }),
      startRedis({ args: ['--cluster-enabled', 'yes'] }),
    ]);
    const http = createHttpServer((_req, res) => void res.end('no Redis')).listen(0, '127.0.0.1');
    await once(http, 'listening');
    ends.push(
      () => server.stop(),
      () => cluster.stop(),
      () => http.close(),
    );
    const web = `127.0.0.1:${(http.address() as AddressInfo).port}`;
    const admin = openRedis(server.url);
    await admin.config('SET', 'requirepass', 'sesame');
    await admin.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '+@connection');
    admin.disconnect();
    const at = `127.0.0.1:${server.port}`;
    const hidden = `redis://***@${at}`;
    const cases: Array<[url: string, message: string]> = [
      [`redis://${at}`, `Redis at redis://${at} requires a password`],
      [`redis://:secret@${at}`, `Redis at ${hidden} rejects the user name or password`],
      [`redis://nobody:secret@${at}`, `Redis at ${hidden} rejects the user name or password`],
      [`redis://reader:secret@${at}`, `the user of Redis at ${hidden} lacks a permission: NOPERM`],
      [`redis://:sesame@${at}/7`, `Redis at ${hidden}/7 has no such database`],
      [cluster.url, `Redis at ${cluster.url} is part of a Redis Cluster`],
      [`redis://${web}`, `the server at redis://${web} is not a Redis server`],
      [`rediss://${web}`, `TLS with Redis at rediss://${web} failed`],
    ];
    for (const [url, message] of cases) {
      const redis = connectRedis(url, 'request');
      const error = await checkRedis(redis, { url }).catch((error: Error) => error);
      redis.disconnect();
      expect([url, String(error)]).toEqual([url, expect.stringContaining(message)]);
      expect(String(error)).not.toMatch(/secret|sesame/);
    }
    const failed = (await startApi({ REDIS_URL: `redis://:secret@${at}` }).catch((e) => e)) as {
      code: number;
      output: string;
    };
    expect([failed.code, failed.output.trim()]).toEqual([
      78,
      `error: Redis at ${hidden} rejects the user name or password of its settings (WRONGPASS)`,
    ]);
    expect(redactRedisUrl('redis://:p@h:1/0')).toBe('redis://***@h:1/0');
  });

  it('in a Cluster that cannot be used yet is waited for, and the log and the doctor say why', async () => {
    const node = await startRedis({ args: ['--cluster-enabled', 'yes'], single: true });
    const admin = openNode(node.port);
    const url = node.url.replace('redis:', 'redis+cluster:');
    const redis = connectRedis(url, 'patient');
    ends.push(
      () => redis.disconnect(),
      () => admin.disconnect(),
      () => node.stop(),
    );
    /** Waits until a process that starts now says why it waits. Its first line comes after a second. */
    async function hasSaid(text: string): Promise<void> {
      const ended = new AbortController();
      const said = new Promise<void>((resolve) => {
        const onWait = (line: string): void => {
          if (line.includes(`${url}: ${text}`)) resolve();
        };
        checkRedis(redis, { url, onWait, signal: ended.signal }).catch(() => {});
      });
      await said;
      ended.abort();
    }
    await hasSaid('the nodes of the Cluster have no slots yet');
    await admin.cluster('ADDSLOTSRANGE', 0, 10_000);
    await hasSaid('the Cluster does not name the address of a master: set cluster-announce-ip');
    expect(await checkRedisServer({ REDIS_URL: url })).toMatchObject([
      { level: 'problem', check: 'redis', found: expect.stringContaining('set cluster-announce-ip') },
    ]);
    await admin.config('SET', 'cluster-announce-ip', '127.0.0.1');
    await hasSaid('the Cluster is down: 10001 of 16384 slots are served');
    await admin.cluster('ADDSLOTSRANGE', 10_001, 16_383);
    expect(await checkRedis(redis, { url })).toMatchObject({ sharded: true });
  });

  it('that goes away between two commands of the check is waited for', async () => {
    const server = await startRedis();
    const redis = connectRedis(server.url, 'request');
    ends.push(
      () => redis.disconnect(),
      () => server.stop(),
    );
    await until('it is connected', () => redis.status === 'ready');
    await server.kill();
    const checked = checkRedis(redis, { url: server.url });
    await server.restart();
    expect(await checked).toMatchObject({ sharded: true });
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
    expect(await checkRedis(redis, { url: `unix:${socket}` })).toMatchObject({ sharded: true });
  });
});
