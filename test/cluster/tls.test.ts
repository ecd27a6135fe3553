import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import type { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkRedisServer } from '../../src/client/cli/doctor/redis.js';
import { createKeyspace } from '../../src/shared/keyspace.js';
import { findMissingPermissions } from '../../src/shared/permissions/check.js';
import { userRules } from '../../src/shared/permissions/needs.js';
import { checkRedis } from '../../src/shared/redis/await.js';
import { connectRedis, connectSubscriber } from '../../src/shared/redis/connect.js';
import { onDenied } from '../../src/shared/redis/denied.js';
import { PASSWORD, refusedCalls, USER } from '../support/acl.js';
import { createAuthority } from '../support/certificates.js';
import { CliUser, jsonLines } from '../support/cli.js';
import { clientOf } from '../support/client.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { startApi, startWorker, type TestProcess } from '../support/processes.js';
import { openStream, watchToEnd } from '../support/sse.js';
import { until } from '../support/until.js';

/** Channels in the slots of all masters. */
const CHANNELS = Array.from({ length: 6 }, (_, i) => `public.${i}`);

let cluster: TestCluster;
let settings: Record<string, string> & { REDIS_URL: string };
beforeAll(async () => {
  const authority = createAuthority();
  // Only a node that is connected to under this name is trusted.
  const certificate = authority.certify('DNS:localhost');
  const own = authority.certify('DNS:headway');
  const rules = userRules(createKeyspace('headway'), { isCluster: true });
  cluster = await startCluster({
    args: [
      ...['--bind', '127.0.0.1', '-::1', '--user', USER, 'on', `>${PASSWORD}`, ...rules],
      ...['--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname'],
    ],
    replicas: false,
    tls: { ca: authority.ca, certificate },
  });
  settings = {
    REDIS_URL: cluster.url.replace('://', `://${USER}@`).replaceAll('127.0.0.1', 'localhost'),
    REDIS_PASSWORD: PASSWORD,
    REDIS_TLS_CA_FILE: authority.ca,
    REDIS_TLS_CERT_FILE: own.cert,
    REDIS_TLS_KEY_FILE: own.key,
  };
});
afterAll(() => cluster?.stop());

/** Changes a setting of all nodes. */
async function configure(name: string, value: string): Promise<void> {
  for (const { admin } of cluster.nodes) await admin.config('SET', name, value);
}

it('jobs and channels run on nodes that are known by their host names', async () => {
  const env = {
    ...settings,
    TOKEN_SECRET: 'a secret for tests that is long enough',
    CHANNEL_RULES: JSON.stringify([{ channel: 'public.**', subscribe: 'anyone', publish: 'anyone' }]),
  };
  const processes: TestProcess[] = await Promise.all([startApi(env), startWorker(env)]);
  try {
    const { url } = processes[0]!;
    const client = clientOf(url);
    const streams = await Promise.all(CHANNELS.map((name) => openStream(`${url}/stream?channel=${name}`)));
    const job = await client.start('steps', { count: 5, intervalMs: 20 });
    const stream = await watchToEnd(client.events(job), job.token);
    expect(stream.names()).toContain('progress');
    expect(stream.names().at(-1)).toBe('completed');
    for (const name of CHANNELS) {
      const response = await fetch(`${url}/v1/channels/${name}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ data: name }),
      });
      expect(response.ok).toBe(true);
    }
    for (const [i, name] of CHANNELS.entries()) {
      expect((await streams[i]!.waitFor(({ data }) => data === name)).data).toBe(name);
      streams[i]!.close();
    }
    const doctor = await new CliUser(url, settings).run(['doctor', '--json']);
    const found = Object.fromEntries(jsonLines(doctor.stdout).map(({ check, ...rest }) => [check, rest]));
    expect(found).toMatchObject({
      'redis cluster': { level: 'ok', found: '3 masters, 3 nodes, 16384 of 16384 slots served' },
      'redis permissions': { level: 'ok' },
      'redis tls': { found: expect.stringMatching(/certificate valid for 1 days/) },
      workers: { level: 'ok' },
    });
    for (const { admin } of cluster.nodes) expect(await refusedCalls(admin)).toEqual([]);
  } finally {
    await Promise.all(processes.map((process) => process.kill()));
  }
});

/** Opens a connection with changed settings, and checks the Cluster as a process does at its start. */
async function connectWith(changes: Record<string, string>): Promise<string> {
  const url = changes.REDIS_URL ?? settings.REDIS_URL;
  const connection = connectRedis({ ...settings, ...changes }, 'request');
  return checkRedis(connection, { url, signal: AbortSignal.timeout(5000) })
    .then(() => 'connected', String)
    .finally(() => connection.disconnect());
}

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === '::1'));

const ADDRESSES: Array<[announced: string, inUrl: string]> = [
  ['127.0.0.1', '127.0.0.1'],
  ...(hasIpv6 ? ([['::1', '[::1]']] as Array<[string, string]>) : []),
];
it.each(ADDRESSES)(
  'nodes that announce %s are trusted with the server name of the settings',
  async (address, host) => {
    await configure('cluster-preferred-endpoint-type', 'ip');
    await configure('cluster-announce-ip', address);
    await until('all nodes announce it', async () =>
      (
        await Promise.all(
          cluster.nodes.map(async ({ admin }) =>
            String(await admin.cluster('SLOTS'))
              .match(/127\.0\.0\.1|::1/g)
              ?.every((ip) => ip === address),
          ),
        )
      ).every(Boolean),
    );
    const target = {
      ...settings,
      REDIS_URL: settings.REDIS_URL.replaceAll('localhost', host),
      REDIS_TLS_SERVER_NAME: 'localhost',
    };
    const subscriber = connectSubscriber(target);
    const received = new Set<string>();
    subscriber.on('messageBuffer', (channel) => received.add(String(channel)));
    for (const name of CHANNELS) await subscriber.subscribe(`headway:{${name}}`);
    for (const role of ['request', 'patient', 'report', 'bullmq'] as const) {
      const redis = connectRedis(target, role);
      await checkRedis(redis, { url: target.REDIS_URL, signal: AbortSignal.timeout(5000) });
      const copy = (redis as Cluster).duplicate();
      await until('the copy is ready', () => copy.status === 'ready');
      for (const name of CHANNELS) {
        expect(await copy.set(`headway:{${name}}:test`, role)).toBe('OK');
        expect(await redis.spublish(`headway:{${name}}`, role)).toBe(1);
      }
      await until('the messages have come', () => received.size === CHANNELS.length);
      received.clear();
      copy.disconnect();
      redis.disconnect();
    }
    subscriber.disconnect();
    expect(await connectWith({ REDIS_URL: target.REDIS_URL })).toMatch('ERR_TLS_CERT_ALTNAME_INVALID');
    // The name leads to a node that is trusted, and that node to others under addresses that are not.
    expect(await connectWith({})).toMatch('ERR_TLS_CERT_ALTNAME_INVALID');
  },
);

it('a permission that one node refuses is named with the node, and noticed when it is given', async () => {
  const [key, node] = await until('a channel of the second node', async () => {
    for (const name of CHANNELS) {
      const key = `headway:{${name}}`;
      if ((await cluster.masterOf(key)) === cluster.nodes[1]) return [key, cluster.nodes[1]] as const;
    }
    return undefined;
  });
  const address = `localhost:${node.announced}`;
  await configure('cluster-preferred-endpoint-type', 'hostname');
  await node.admin.call('ACL', 'SETUSER', USER, 'resetchannels');
  const reports: string[] = [];
  const stop = onDenied((reply) => reports.push(reply));
  const redis = connectRedis(settings, 'patient');
  const subscriber = connectSubscriber(settings);
  try {
    await until('it is connected', () => redis.status === 'ready');
    const missing = await findMissingPermissions(redis, createKeyspace('headway'));
    expect(missing).toEqual({ needed: [`channels headway:* on ${address}`], optional: [] });
    const found = await checkRedisServer(settings);
    expect(found.find(({ check }) => check === 'redis permissions')).toMatchObject({
      level: 'problem',
      found: `missing: channels headway:* on ${address}`,
    });

    const subscribed = subscriber.subscribe(key);
    await until('it is reported', () => reports.length > 0);
    expect(reports).toEqual([expect.stringMatching(/^NOPERM .*\(SSUBSCRIBE at localhost:\d+\)$/)]);
    expect(reports[0]).toContain(address);
    await node.admin.call('ACL', 'SETUSER', USER, '&headway:*');
    // The slots are read every five seconds.
    await subscribed;
    expect(reports).toHaveLength(1);
  } finally {
    stop();
    subscriber.disconnect();
    redis.disconnect();
  }
});

it('a connection that the nodes do not allow ends the start, and says why', async () => {
  const stranger = createAuthority();
  const cases: Array<[changes: Record<string, string>, message: RegExp]> = [
    [{ REDIS_TLS_CA_FILE: stranger.ca }, /TLS with Redis at .* failed: .*certificate/],
    [
      { REDIS_TLS_CERT_FILE: '', REDIS_TLS_KEY_FILE: '' },
      /TLS with Redis at .* failed: .*certificate required/,
    ],
    [{ REDIS_PASSWORD: 'wrong' }, /rejects the user name or password/],
  ];
  for (const [changes, message] of cases) {
    expect([changes, await connectWith(changes)]).toEqual([changes, expect.stringMatching(message)]);
  }
});

it('a connection that is closed during a handshake that fails does not end the process', async () => {
  const target = {
    ...settings,
    REDIS_URL: `rediss://${USER}@127.0.0.1:${cluster.nodes[0]!.announced}`,
    REDIS_TLS_SERVER_NAME: 'other.test',
  };
  const codes = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const redis = connectRedis(target, 'request') as Redis;
      const failed = once(redis, 'error');
      // By then, it has a socket that is not connected yet.
      await setImmediate();
      const socket = redis.stream as TLSSocket;
      const closed = new Promise((resolve) => socket.on('close', resolve));
      await once(socket, 'connect');
      redis.disconnect();
      await closed;
      return (await failed)[0].code;
    }),
  );
  // An error that nothing listens for would fail the run.
  expect(codes).toEqual(codes.map(() => expect.stringMatching(/ALERT|ALTNAME/)));
});
