import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RedisSettings } from '../../src/shared/process/redis-settings.js';
import { checkRedis } from '../../src/shared/redis/await.js';
import { connectRedis, connectSubscriber } from '../../src/shared/redis/connect.js';
import { PASSWORD, refusedCalls, USER, USER_ARGUMENTS } from '../support/acl.js';
import { CliUser, jsonLines } from '../support/cli.js';
import { clientOf, type StartedJob } from '../support/client.js';
import { jobsDir } from '../support/jobs.js';
import { startApi, startWorker, type TestProcess, temporaryFolder } from '../support/processes.js';
import { type Sentinels, startSentinels } from '../support/sentinels.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';
import { expectCompleted, expectWholeLog, linesOf, upTo } from '../support/viewer-logs.js';

const STEPS = { count: 5, intervalMs: 20 };

let sentinels: Sentinels;
let settings: Omit<RedisSettings, 'REDIS_CLUSTER'> & Record<string, string>;
const ends: Array<() => unknown> = [];
beforeAll(async () => {
  sentinels = await startSentinels(USER_ARGUMENTS);
  const hosts = sentinels.ports.map((port) => `127.0.0.1:${port}`).join(',');
  settings = {
    REDIS_URL: `redis+sentinel://${USER}:${PASSWORD}@${hosts}/${sentinels.name}`,
    REDIS_SENTINEL_USERNAME: sentinels.user.name,
    REDIS_SENTINEL_PASSWORD: sentinels.user.password,
  };
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => sentinels.stop());

/** The number of connections of Headway to a node. */
const connectionsTo = async (node: number): Promise<number> =>
  String(await sentinels.admins[node]!.client('LIST')).match(new RegExp(`user=${USER}\\b`, 'g'))?.length ?? 0;

describe('with Sentinel', () => {
  it('viewers and jobs go on after a planned failover and after the death of the master', async () => {
    const env = {
      ...settings,
      DATA_DIR: temporaryFolder(),
      TOKEN_SECRET: 'a secret for tests that is long enough',
      JOBS_DIR: jobsDir('until-file'),
      LOCK_DURATION_MS: '15000',
      STALLED_INTERVAL_MS: '1000',
    };
    const processes: TestProcess[] = await Promise.all([startApi(env), startWorker(env)]);
    ends.push(() => Promise.all(processes.map((process) => process.kill())));
    const { url } = processes[0]!;
    const client = clientOf(url);
    const isUp = async (): Promise<boolean> => (await fetch(`${url}/readyz`)).ok;

    const file = join(temporaryFolder(), 'end');
    const long = await client.start('until-file', { file, everyMs: 100 });
    const watch = (): Promise<TestStream> => openStream(client.events(long), { token: long.token });
    const viewers = [await watch()];
    const lines = (): number => linesOf(viewers[0]!.events).at(-1) ?? 0;
    await until('the job is running', () => lines() > 10);

    const doctor = await new CliUser(url, settings).run(['doctor', '--json']);
    const found = jsonLines(doctor.stdout);
    expect(found.find(({ check }) => check === 'redis sentinels')).toMatchObject({
      level: 'ok',
      found: `3 of 3 name 127.0.0.1:${sentinels.nodes[0]!.port} as mymaster`,
    });
    for (const check of ['redis replicas', 'redis permissions']) {
      expect(found.find((one) => one.check === check)).toMatchObject({ check, level: 'ok' });
    }

    const jobs: StartedJob[] = [];
    /** Starts jobs, makes sure that they are on the replica, and lets another node become the master. */
    async function failOver(to: number, begin: () => Promise<unknown>): Promise<void> {
      jobs.push(...(await Promise.all(upTo(5).map(() => client.startAgain('steps', STEPS)))));
      await sentinels.replicated();
      const before = lines();
      await begin();
      await until('the other node is the master', async () => (await sentinels.master()) === to);
      await until('the API is ready', isUp);
      await until('the viewer gets what the job reports now', () => lines() > before + 10);
      jobs.push(await client.startAgain('steps', STEPS));
      viewers.push(await watch());
    }
    await failOver(1, async () => {
      await sentinels.watchers[0]!.call('SENTINEL', 'FAILOVER', sentinels.name);
      // The old master runs on, as a replica. Nobody stays with it.
      await until('no connection to the old master is left', async () => (await connectionsTo(0)) === 0);
    });
    await sentinels.settled(1);
    await failOver(0, () => sentinels.nodes[1]!.kill('SIGKILL'));

    writeFileSync(file, '');
    await Promise.all(viewers.map(({ ended }) => ended));
    const { lines: last } = (await (await client.result(long)).json()) as { lines: number };
    expectWholeLog(viewers, last);
    await expectCompleted(client, jobs);
    // The user of Headway was refused nothing.
    expect(await refusedCalls(sentinels.admins[0]!)).toEqual([]);
    expect(processes.map(({ output }) => /lacks a permission/.test(output()))).toEqual([false, false]);
  }, 180_000);

  it('connections leave a master that the Sentinels have replaced but cannot demote', async () => {
    await sentinels.nodes[1]!.restart();
    await sentinels.settled(0);
    const redis = connectRedis(settings, 'patient');
    const subscriber = connectSubscriber(settings);
    ends.push(
      () => redis.disconnect(),
      () => subscriber.disconnect(),
    );
    await Promise.all([redis.ping(), subscriber.ping()]);
    await until('the Sentinels are watched', async () =>
      (
        await Promise.all(
          sentinels.watchers.map((sentinel) => sentinel.call('CLIENT', 'LIST', 'TYPE', 'pubsub')),
        )
      ).every((list) => /sub=1/.test(String(list))),
    );
    // It stays a master, and keeps all connections.
    await sentinels.admins[0]!.call('ACL', 'SETUSER', 'default', '-replicaof', '-slaveof');
    await sentinels.watchers[0]!.call('SENTINEL', 'FAILOVER', sentinels.name);
    await until('both are connected to the new master', async () => (await connectionsTo(1)) === 2);
    expect(await connectionsTo(0)).toBe(0);
    expect(await sentinels.admins[0]!.info('replication')).toContain('role:master');
    await redis.set('headway:moved', 1);
  });

  it('mistakes in the settings end the start, and name the setting', async () => {
    const { REDIS_URL } = settings;
    const [port] = sentinels.ports;
    const node = sentinels.nodes[1]!.port;
    const cases: Array<[changes: Record<string, string>, message: string]> = [
      [{ REDIS_URL: REDIS_URL.replace('/mymaster', '/other') }, 'knows no master named "other"'],
      [
        { REDIS_SENTINEL_USERNAME: '', REDIS_SENTINEL_PASSWORD: '' },
        'requires a password: set REDIS_SENTINEL_PASSWORD',
      ],
      [{ REDIS_SENTINEL_PASSWORD: 'wrong' }, 'rejects REDIS_SENTINEL_USERNAME or REDIS_SENTINEL_PASSWORD'],
      [{ REDIS_URL: REDIS_URL.replace(PASSWORD, 'wrong') }, 'rejects the user name or password'],
      [
        {
          REDIS_URL: `redis+sentinel://127.0.0.1:${node}/mymaster`,
          REDIS_SENTINEL_USERNAME: '',
          REDIS_SENTINEL_PASSWORD: '',
        },
        'is not a Sentinel',
      ],
      [
        { REDIS_URL: `redis://:${encodeURIComponent(sentinels.password)}@127.0.0.1:${port}` },
        'is a Sentinel: use redis+sentinel://',
      ],
    ];
    for (const [changes, message] of cases) {
      const redis = connectRedis({ ...settings, ...changes }, 'request');
      const url = changes.REDIS_URL ?? REDIS_URL;
      const error = await checkRedis(redis, { url, signal: AbortSignal.timeout(10_000) }).catch(
        (thrown) => thrown,
      );
      redis.disconnect();
      expect([changes, String(error)]).toEqual([changes, expect.stringContaining(message)]);
      expect(String(error)).not.toMatch(/of-the-user|the%20password/);
    }
  });
});
