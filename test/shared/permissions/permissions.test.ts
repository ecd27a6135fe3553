import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { findMissingPermissions } from '../../../src/shared/permissions/check.js';
import { checkRedis } from '../../../src/shared/redis/await.js';
import { connectRedis, connectSubscriber } from '../../../src/shared/redis/connect.js';
import { IS_REDIS_7, PASSWORD, RULES, refusedCalls, USER } from '../../support/acl.js';
import { createAuthority, tlsArguments } from '../../support/certificates.js';
import { CliUser, jsonLines } from '../../support/cli.js';
import { clientOf } from '../../support/client.js';
import { ADMIN_TOKEN, openDashboard } from '../../support/dashboard.js';
import { jobsDir } from '../../support/jobs.js';
import { startApi, startWorker, type TestProcess, temporaryFolder } from '../../support/processes.js';
import { type Receiver, startReceiver } from '../../support/receiver.js';
import { freePort, openRedis, startRedis, type TestRedis } from '../../support/redis.js';
import { openStream, watchToEnd } from '../../support/sse.js';
import { bearer, call, signer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

const STEPS = { count: 2, intervalMs: 5 };
const keyspace = createKeyspace('headway');

let redis: TestRedis;
let admin: Redis;
let socket: string;
let settings: Record<string, string> & { REDIS_URL: string };
let receiver: Receiver;
let api: TestProcess;
let worker: TestProcess;
beforeAll(async () => {
  const authority = createAuthority();
  const [server, own] = [authority.certify('DNS:redis.test'), authority.certify('DNS:headway')];
  const port = await freePort();
  socket = `${temporaryFolder()}/redis.sock`;
  redis = await startRedis({ args: [...tlsArguments(port, authority.ca, server), '--unixsocket', socket] });
  admin = openRedis(redis.url);
  // `+select` is for the database in the address.
  await admin.call('ACL', 'SETUSER', USER, 'on', `>${PASSWORD}`, ...RULES, '+select');
  settings = {
    REDIS_URL: `rediss://${USER}@127.0.0.1:${port}/1`,
    REDIS_PASSWORD: PASSWORD,
    REDIS_TLS_CA_FILE: authority.ca,
    REDIS_TLS_CERT_FILE: own.cert,
    REDIS_TLS_KEY_FILE: own.key,
    REDIS_TLS_SERVER_NAME: 'redis.test',
  };
  receiver = await startReceiver();
  const env = {
    ...settings,
    DATA_DIR: temporaryFolder(),
    TOKEN_SECRET: 'a secret for tests that is long enough',
    ADMIN_TOKEN,
    JOBS_DIR: jobsDir('flaky', 'poem', 'talker', 'parent-of-two', 'kid'),
    WEBHOOK_HOSTS: '127.0.0.1',
    WEBHOOK_ALLOW_PRIVATE: 'true',
    CHANNEL_RULES: JSON.stringify([{ channel: 'public.**', subscribe: 'anyone', publish: 'anyone' }]),
  };
  [api, worker] = await Promise.all([startApi(env), startWorker(env)]);
});
afterAll(async () => {
  await Promise.all([api?.kill(), worker?.kill()]);
  admin.disconnect();
  await Promise.all([redis.stop(), receiver.stop()]);
});

/** Opens a connection with changed settings, and checks the server as a process does at its start. */
async function connectWith(changes: Record<string, string>): Promise<string> {
  const connection = connectRedis({ ...settings, ...changes }, 'request');
  const url = changes.REDIS_URL ?? settings.REDIS_URL;
  return checkRedis(connection, { url, signal: AbortSignal.timeout(10_000) })
    .then(() => 'connected', String)
    .finally(() => connection.disconnect());
}

it('every flow works over TLS as a user with only the documented permissions', async () => {
  const { url } = api;
  const client = clientOf(url);
  const user = await signer('a secret for tests that is long enough')({ sub: 'ada' });
  const send = async (method: string, path: string, token = user, body?: unknown) => {
    const response = await call(`${url}${path}`, method, token, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    // biome-ignore lint/suspicious/noExplicitAny: each call has its own shape
    return (text && response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text) as any;
  };
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const dashboard = await openDashboard(url);
  const overview = await openStream(`${url}/v1/events?jobs=mine`, { token: user });

  // Jobs: with and without options, in a batch, with children, retried, cancelled.
  const begin = (name: string, data: object, options = {}) =>
    send('POST', '/v1/jobs', user, { name, data, options });
  const hooked = await begin(
    'talker',
    { count: 10 },
    {
      webhook: { url: receiver.url },
      deduplicationKey: 'a-key-of-sixteen-characters',
      tags: ['a'],
    },
  );
  const jobs = [
    hooked,
    await begin('parent-of-two', {}),
    await begin('flaky', { failures: 1 }),
    await begin('steps', STEPS, { priority: 5 }),
    await begin('steps', STEPS, { delayMs: 20 }),
    ...(await send('POST', '/v1/jobs:batch', user, { jobs: [{ name: 'poem', data: { words: 'a b' } }] }))
      .jobs,
  ];
  for (const job of jobs) {
    const stream = await watchToEnd(client.events(job), job.token);
    expect([job.name, stream.events.at(-1)]).toMatchObject([job.name, { event: 'completed' }]);
    await client.result(job);
  }
  const failing = await begin('flaky', { failures: 3 }, { attempts: 1 });
  await watchToEnd(client.events(failing), failing.token);
  expect((await client.retry(failing)).status).toBe(202);
  const running = await begin('steps', { count: 1000, intervalMs: 20 });
  await (await openStream(client.events(running), { token: running.token })).waitFor('progress');
  expect((await client.cancel(running)).ok).toBe(true);
  await watchToEnd(client.events(running), running.token);
  await send('GET', '/v1/jobs?state=completed&name=steps&tag=a&limit=2');
  await send('GET', `/v1/jobs?owner=me&from=1`);
  expect((await receiver.called(1))[0]!.json.data.id).toBe(hooked.id);

  // Schedules.
  const schedule = await send('POST', '/v1/schedules', user, { name: 'steps', data: STEPS, everyMs: 1000 });
  const self = schedule.links.self;
  await until('the schedule has run', async () => (await send('GET', self)).runs > 0);
  await send('PATCH', self, user, { cron: '0 0 1 1 *' });
  for (const step of ['pause', 'resume', 'run']) await send('POST', `${self}/${step}`);
  await send('GET', '/v1/schedules');
  await send('DELETE', self);

  // Channels, files, keys, revocations.
  const channel = `${url}/stream?channel=public.news`;
  const feed = await openStream(channel);
  for (const data of ['a', 'b']) await send('POST', '/v1/channels/public.news', user, { data });
  await fetch(`${url}/v1/channels/public.news`, {
    method: 'POST',
    headers: {
      ...bearer(user),
      'Content-Type': 'application/json',
      'Idempotency-Key': 'a-key-of-sixteen-characters',
    },
    body: JSON.stringify({ data: 1, kind: 'state', key: 'k' }),
  });
  await until('the events have come', () => feed.events.length === 3);
  for (const query of ['&last=1', '&since=0']) (await openStream(channel + query)).close();
  const back = await openStream(channel, { lastEventId: feed.events[0]!.id });
  await until('the missed events have come', () => back.events.length === 2);
  await client.upload('a.txt', 'text');
  const key = await send('POST', '/v1/keys', ADMIN_TOKEN, { name: 'ci', limits: { requests: 100 } });
  await send('GET', '/v1/keys', ADMIN_TOKEN);
  await send('GET', '/v1/jobs', key.secret ?? key.key);
  await send('DELETE', `/v1/keys/${key.id}`, ADMIN_TOKEN);
  await send('POST', '/v1/revocations', ADMIN_TOKEN, { jti: 'x' });

  // The dashboard, Bull Board, metrics.
  await dashboard.shows('a finished job', ({ processes = [] }) => processes.length > 0);
  await send('GET', '/v1/dashboard/history', ADMIN_TOKEN);
  await send('GET', '/admin/queues/api/queues?activeQueue=steps&page=1', ADMIN_TOKEN);
  await send('GET', '/metrics', ADMIN_TOKEN);
  for (const stream of [feed, back, overview, dashboard]) stream.close();

  const doctor = await new CliUser(url, settings).run(['doctor', '--json', '--token', ADMIN_TOKEN]);
  const found = Object.fromEntries(jsonLines(doctor.stdout).map(({ check, ...finding }) => [check, finding]));
  expect(found).toMatchObject({
    redis: { level: 'ok', found: expect.stringContaining(' at rediss://***@127.0.0.1') },
    'redis permissions': { level: 'ok' },
    'redis tls': {
      level: 'warning',
      found: expect.stringMatching(/^TLSv1\.\d, certificate valid for 1 days/),
    },
    workers: { level: 'ok' },
  });

  expect(await refusedCalls(admin)).toEqual([]);
  expect(await admin.keys('*')).toEqual([]);
  await admin.select(1);
  expect((await admin.keys('*')).filter((name) => !/^(headway:|\{headway\})/.test(name))).toEqual([]);
}, 120_000);

it('every role of connection works over TLS and over a socket with a user and a database', async () => {
  const channel = `${keyspace.prefix}:test`;
  for (const target of [settings, { REDIS_URL: `unix://${USER}:${PASSWORD}@${socket}?db=3` }]) {
    for (const role of ['request', 'patient', 'report', 'bullmq', 'subscriber'] as const) {
      // One server, so both are connections of ioredis to it.
      const connection = (
        role === 'subscriber' ? connectSubscriber(target) : connectRedis(target, role)
      ) as Redis;
      await until('it is ready', () => connection.status === 'ready');
      // BullMQ waits for jobs on a copy.
      const copy = connection.duplicate();
      await until('the copy is ready', () => copy.status === 'ready');
      if (role === 'subscriber') {
        const received = new Promise((resolve) => connection.on('message', (_, message) => resolve(message)));
        await connection.subscribe(channel);
        await copy.publish(channel, role);
        expect(await received).toBe(role);
      } else {
        const waiting = copy.bzpopmin(`${keyspace.queuePrefix}:test`, 5);
        await connection.zadd(`${keyspace.queuePrefix}:test`, 1, role);
        expect(await waiting).toEqual([`${keyspace.queuePrefix}:test`, role, '1']);
      }
      copy.disconnect();
      connection.disconnect();
    }
  }
});

it('a connection that the server or its certificate does not allow ends the start, and says why', async () => {
  const stranger = createAuthority();
  const cases: Array<[changes: Record<string, string>, message: string | RegExp]> = [
    [{ REDIS_TLS_CA_FILE: '' }, /TLS with Redis at .* failed: .*certificate/],
    [{ REDIS_TLS_CA_FILE: stranger.ca }, /TLS with Redis at .* failed: .*certificate/],
    [{ REDIS_TLS_SERVER_NAME: 'other.test' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [
      { REDIS_TLS_CERT_FILE: '', REDIS_TLS_KEY_FILE: '' },
      /TLS with Redis at .* failed: .*certificate required/,
    ],
    [{ REDIS_PASSWORD: 'wrong' }, 'rejects the user name or password'],
  ];
  for (const [changes, message] of cases) {
    expect([changes, await connectWith(changes)]).toEqual([changes, expect.stringMatching(message)]);
  }
});

it.skipIf(!IS_REDIS_7).each([
  ['-xadd', 'lacks permissions: command xadd. docs/operations/redis.md'],
  ['resetchannels', 'lacks permissions: channels headway:*'],
  ['resetkeys ~headway:*', 'lacks permissions: keys {headway}*'],
  ['-info', "lacks a permission: NOPERM this user has no permissions to run the 'info' command"],
])('a user with %s ends the start, and the line names what is missing', async (rule, message) => {
  await admin.call('ACL', 'SETUSER', 'other', 'reset', 'on', '>secret', ...RULES, ...rule.split(' '));
  const env = { REDIS_URL: `redis://other:secret@127.0.0.1:${redis.port}` };
  const failed = (await startWorker(env).catch((error) => error)) as { code: number; output: string };
  expect([failed.code, failed.output]).toEqual([78, expect.stringContaining(message)]);
});

it.skipIf(!IS_REDIS_7)(
  'a permission that is taken away while a process runs is logged once, and named by the doctor',
  async () => {
    await admin.call('ACL', 'SETUSER', USER, '-zadd', '-client|list');
    try {
      await until('the worker says so', () =>
        /lacks a permission: .*zadd|executing the script/.test(worker.output()),
      );
      const job = await clientOf(api.url).post({ name: 'steps', data: STEPS });
      expect([job.status, job.headers.get('retry-after')]).toEqual([503, '2']);
      const doctor = await new CliUser(api.url, settings).run(['doctor', '--json']);
      const finding = jsonLines(doctor.stdout).find(({ check }) => check === 'redis permissions');
      expect(finding).toMatchObject({ level: 'problem', found: 'missing: command zadd' });
    } finally {
      await admin.call('ACL', 'SETUSER', USER, '+zadd', '+client|list');
    }
    expect((await clientOf(api.url).post({ name: 'steps', data: STEPS })).status).toBe(202);
    const lines = worker
      .output()
      .split('\n')
      .filter((line) => line.includes('lacks a permission'));
    expect(new Set(lines).size).toBe(lines.length);
  },
);

it.skipIf(!IS_REDIS_7)('a missing permission is found for each command', async () => {
  await admin.call('ACL', 'SETUSER', 'other', 'reset', 'on', '>secret', ...RULES);
  const connection = connectRedis(`redis://other:secret@127.0.0.1:${redis.port}`, 'patient');
  expect(await findMissingPermissions(connection, keyspace)).toEqual({ needed: [], optional: [] });
  for (const rule of RULES.filter((rule) => rule.startsWith('+'))) {
    const command = rule.slice(1);
    // Without these, the question itself fails.
    if (['evalsha', 'eval'].includes(command)) continue;
    await admin.call('ACL', 'SETUSER', 'other', `-${command}`);
    const { needed, optional } = await findMissingPermissions(connection, keyspace);
    expect([command, [...needed, ...optional]]).toEqual([command, [`command ${command}`]]);
    await admin.call('ACL', 'SETUSER', 'other', `+${command}`);
  }
  connection.disconnect();
});
