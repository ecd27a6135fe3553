import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster, Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKeyspace } from '../../src/shared/keyspace.js';
import { userRules } from '../../src/shared/permissions/needs.js';
import { connectRedis, connectSubscriber } from '../../src/shared/redis/connect.js';
import type { Subscriber } from '../../src/shared/redis/subscriber.js';
import { serverTimedBackend } from '../../src/shared/runtime/bullmq-backend.js';
import { type Channels, connectChannels } from '../../src/shared/runtime/channels.js';
import { PASSWORD, refusedCalls, USER } from '../support/acl.js';
import { CliUser, jsonLines } from '../support/cli.js';
import { clientOf, type StartedJob } from '../support/client.js';
import { type ClusterNode, startCluster, type TestCluster } from '../support/cluster.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import { jobsDir } from '../support/jobs.js';
import { startApi, startWorker, type TestProcess, temporaryFolder } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';
import { expectCompleted, expectWholeLog, linesOf, sinceReset, upTo } from '../support/viewer-logs.js';

const STEPS = { count: 5, intervalMs: 20 };
const JOBS_KEY = '{headway}';
/** Time between two lines of the log of the job that runs all the time, in ms. */
const LINE_MS = 100;
/** How long a move stops when half of the keys have moved, in ms. Meanwhile, the worker renews the locks of its jobs. */
const HALF_WAY_MS = 4500;
/** How many channels there are: enough for the slots of all masters. */
const CHANNELS_OF_A_TEST = 6;

/** Internals of ioredis that its types leave out. */
const internalsOf = (cluster: Cluster) =>
  cluster as unknown as {
    clearNodesRefreshInterval(): void;
    connectionPool: { getNodes(role?: string): Redis[] };
  };

describe('on a Redis Cluster', () => {
  let cluster: TestCluster;
  let env: Record<string, string>;
  /** An API and a worker, which go through all the tests. */
  let processes: TestProcess[] = [];
  let tests = 0;
  const ends: Array<() => unknown> = [];
  beforeAll(async () => {
    const rules = userRules(createKeyspace('headway'), { isCluster: true });
    cluster = await startCluster({ args: ['--user', USER, 'on', `>${PASSWORD}`, ...rules], links: true });
    env = {
      REDIS_URL: cluster.url.replace('://', `://${USER}:${PASSWORD}@`),
      TOKEN_SECRET: 'a secret for tests that is long enough',
      JOBS_DIR: jobsDir('until-file'),
      LOCK_DURATION_MS: '15000',
      STALLED_INTERVAL_MS: '1000',
      ADMIN_TOKEN,
      CHANNEL_RULES: JSON.stringify([{ channel: 'public.**', subscribe: 'anyone' }]),
    };
    processes = await Promise.all([startApi(env), startWorker(env)]);
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    cluster.join();
    await cluster.settled();
  });
  afterAll(async () => {
    await Promise.all(processes.map((process) => process.kill()));
    await cluster?.stop();
  });

  /** A job, channels, and their viewers, which see everything that happens to the Cluster. */
  async function open() {
    const { url } = processes[0]!;
    await until('the API is ready', async () => (await fetch(`${url}/readyz`)).ok);
    const test = ++tests;
    const names = upTo(CHANNELS_OF_A_TEST).map((i) => `public.${test}.${i}`);
    const client = clientOf(url);
    const channels: Channels = await connectChannels({ redisUrl: env.REDIS_URL! });
    ends.push(() => channels.close());

    const file = join(temporaryFolder(), 'end');
    ends.push(() => writeFileSync(file, ''));
    const long = await client.start('until-file', { file, everyMs: LINE_MS });
    const watch = (): Promise<TestStream> => openStream(client.events(long), { token: long.token });
    const viewers = [await watch()];
    const lines = (): number => linesOf(viewers[0]!.events).at(-1) ?? 0;
    const streams = await Promise.all(names.map((name) => openStream(`${url}/stream?channel=${name}`)));
    ends.push(() => {
      for (const stream of streams) stream.close();
    });
    const jobs: StartedJob[] = [];
    let published = 0;
    const numbersOf = (stream: TestStream): number[] =>
      sinceReset(stream.events)
        .filter(({ event }) => event === 'tick')
        .map(({ data }) => data.n);
    /** Publishes ten numbered events to each channel. */
    const publish = async (): Promise<void> => {
      const first = published + 1;
      published += 10;
      for (let n = first; n < first + 10; n++) {
        await Promise.all(names.map((name) => channels.publish(name, { event: 'tick', data: { n } })));
      }
    };
    await until('the job is running', () => lines() > 5);
    return {
      url,
      /** The names of the channels. */
      names,
      publish,
      isUp: async (): Promise<boolean> => (await fetch(`${url}/readyz`)).ok,
      /** Does something to the Cluster in mid-stream, and checks that everything goes on. */
      async during(work: () => Promise<unknown>, { replicated = true } = {}): Promise<void> {
        jobs.push(...(await Promise.all(upTo(5).map(() => client.startAgain('steps', STEPS)))));
        await publish();
        // Redis replicates without waiting: a master that dies at once takes its last writes along.
        if (replicated) await cluster.replicated();
        const before = lines();
        await Promise.all([work(), publish()]);
        await until('the API is ready', async () => (await fetch(`${url}/readyz`)).ok);
        await until('the viewer gets what the job reports now', () => lines() > before + 10);
        jobs.push(await client.startAgain('steps', STEPS));
        viewers.push(await watch());
        await publish();
      },
      /** Ends everything, and checks what the viewers have seen. */
      async finish(): Promise<void> {
        writeFileSync(file, '');
        await Promise.all(viewers.map(({ ended }) => ended));
        const { lines: last } = (await (await client.result(long)).json()) as { lines: number };
        expectWholeLog(viewers, last);
        for (const stream of streams) {
          await until('the viewer has all events', () => numbersOf(stream).at(-1) === published);
          expect(numbersOf(stream)).toEqual(upTo(published));
        }
        await expectCompleted(client, jobs);
      },
    };
  }

  /** Waits until another node is the master of a key. */
  const takenOver = (key: string, from: ClusterNode): Promise<unknown> =>
    until('a replica has taken over', async () => (await cluster.masterOf(key, from)) !== from, 20_000);

  it('nothing is lost, doubled or hanging when masters are killed', async () => {
    const service = await open();
    const doctor = await new CliUser(service.url, env).run(['doctor', '--json']);
    const found = jsonLines(doctor.stdout);
    expect(found.find(({ check }) => check === 'redis cluster')).toMatchObject({
      level: 'ok',
      found: '3 masters, 6 nodes, 16384 of 16384 slots served',
    });
    for (const check of ['redis replicas', 'redis permissions', 'workers']) {
      expect(found.find((one) => one.check === check)).toMatchObject({ check, level: 'ok' });
    }

    const ofJobs = await cluster.masterOf(JOBS_KEY);
    await service.during(async () => {
      await ofJobs.kill();
      const refused = await until('the API is not ready', async () => {
        const response = await fetch(`${service.url}/readyz`);
        return response.status === 503 && response;
      });
      expect((refused as Response).headers.get('retry-after')).toMatch(/^\d+$/);
      await takenOver(JOBS_KEY, ofJobs);
    });
    await ofJobs.restart();
    await cluster.settled();
    const key = `headway:{${service.names[0]}}`;
    const ofChannel = await cluster.masterOf(key);
    await service.during(async () => {
      await ofChannel.kill();
      await takenOver(key, ofChannel);
    });
    await ofChannel.restart();
    await service.finish();
    for (const { admin } of cluster.nodes) expect(await refusedCalls(admin)).toEqual([]);
  }, 90_000);

  it('a worker waits for jobs again on a connection that BullMQ has closed and opened again', async () => {
    const redis = connectRedis(env.REDIS_URL!, 'bullmq');
    ends.push(() => redis.disconnect());
    const options = { connection: redis, prefix: JOBS_KEY };
    const { blockingConnection } = serverTimedBackend('steps', options, { withBlockingConnection: true });
    const client = (await blockingConnection!.client) as unknown as Cluster;
    await client.ping();
    let closes = 0;
    client.on('close', () => closes++);
    for (let round = 1; round <= 3; round++) {
      const open = new Set(client.nodes());
      expect(open.size).toBeGreaterThan(1);
      for (const node of open) node.once('end', () => open.delete(node));
      await blockingConnection!.disconnect();
      await until('all its nodes have ended', () => open.size === 0);
      expect([client.status, closes]).toEqual(['end', round]);
      await blockingConnection!.reconnect();
      expect(client.status).toBe('ready');
    }
    await blockingConnection!.close();
  });

  it('a worker waits for jobs again on a connection that was opened while the Cluster had failed', async () => {
    const redis = connectRedis(env.REDIS_URL!, 'bullmq') as Cluster;
    ends.push(() => redis.disconnect());
    await redis.ping();
    redis.disconnect();
    await until('it has ended', () => redis.status === 'end');
    // A Cluster with a slot that no node has does not serve the others.
    const key = 'nobody uses this key';
    const owner = await cluster.masterOf(key);
    const slot = Number(await owner.admin.cluster('KEYSLOT', key));
    const isFailed = async ({ admin }: ClusterNode): Promise<boolean> =>
      String(await admin.cluster('INFO')).includes('cluster_state:fail');
    await until('each node says so', async () => {
      for (const { admin } of cluster.nodes) await admin.cluster('DELSLOTS', slot).catch(() => {});
      return (await Promise.all(cluster.nodes.map(isFailed))).every(Boolean);
    });
    let tries = 0;
    redis.on('reconnecting', () => tries++);
    const connected = redis.connect();
    await until('it tries again', () => tries > 0);
    await owner.admin.cluster('ADDSLOTS', slot);
    await connected;
    expect(redis.status).toBe('ready');
  });

  it('nothing is lost, doubled or hanging when slots move', async () => {
    const service = await open();
    for (const key of [JOBS_KEY, ...service.names.slice(0, 3).map((name) => `headway:{${name}}`)]) {
      await service.during(async () => cluster.moveSlot(key, await cluster.otherMaster(key)));
    }
    await service.finish();
    for (const { admin } of cluster.nodes) expect(await refusedCalls(admin)).toEqual([]);
  }, 90_000);

  it('requests get 503, and nothing is lost or doubled, when the move of the jobs takes long', async () => {
    const service = await open();
    const client = clientOf(service.url);
    const admin = { Authorization: `Bearer ${ADMIN_TOKEN}` };
    const begin = (key: string): Promise<Response> =>
      client.post(
        { name: 'steps', data: STEPS, options: { tags: ['moving'] } },
        { ...admin, 'Idempotency-Key': `a-key-of-the-test-${key}` },
      );
    const keys = new Set<string>();
    await service.during(async () => {
      const known = await client.start('steps', STEPS, { delayMs: 600_000 });
      const calls: Record<string, (key: string) => Promise<Response>> = {
        start(key) {
          keys.add(key);
          return begin(key);
        },
        read: () => client.get(known),
        cancel: () => client.cancel(known),
        list: () => fetch(`${service.url}/v1/jobs?limit=5`, { headers: admin }),
        events: () =>
          fetch(`${client.events(known)}?wait=1`, { headers: { Authorization: `Bearer ${known.token}` } }),
        board: () =>
          fetch(`${service.url}/admin/queues/api/queues/steps/resume`, { method: 'PUT', headers: admin }),
      };
      await cluster.moveSlot(JOBS_KEY, await cluster.otherMaster(JOBS_KEY), async () => {
        const end = performance.now() + HALF_WAY_MS;
        await Promise.all([
          givenUp(),
          ...Object.entries(calls).map(async ([name, call]) => {
            for (let i = 0; i === 0 || performance.now() < end; i++) {
              const response = await call(`${name}-${i}`);
              const answer = { name, status: response.status, text: await response.text() };
              if (response.ok && name !== 'start') continue;
              expect(answer).toMatchObject({ name, status: 503 });
              expect([name, response.headers.get('retry-after')]).toEqual([name, '2']);
            }
          }),
        ]);
      });
    });
    for (const key of keys) expect((await begin(key)).status).toBe(202);
    const list = await fetch(`${service.url}/v1/jobs?tag=moving&limit=100`, { headers: admin });
    expect(((await list.json()) as { jobs: unknown[] }).jobs).toHaveLength(keys.size);
    await service.finish();

    /** A command that has timed out is not sent again, although its slot still moves. */
    async function givenUp(): Promise<void> {
      const [short, long] = [{ commandTimeout: 150 }, {}].map((extra) =>
        connectRedis(env.REDIS_URL!, 'request', extra),
      ) as [Cluster, Cluster];
      ends.push(
        () => short.disconnect(),
        () => long.disconnect(),
      );
      await until('both are connected', () => [short, long].every(({ status }) => status === 'ready'));
      const names = [`${JOBS_KEY}:test:a`, `${JOBS_KEY}:test:b`] as const;
      await expect(short.rename(...names)).rejects.toThrow(/timed out/);
      const probed = (times: number): Promise<unknown> =>
        until(`the other command was sent ${times} times`, async () => (await refusedCount('copy')) >= times);
      long.copy(...names).catch(() => {});
      // By then, the last reply to the first command has come.
      await probed(2);
      const before = await refusedCount('rename');
      await probed(6);
      expect(await refusedCount('rename')).toBe(before);
    }
  }, 90_000);

  /** How often the nodes have refused a command, because its slot moves. */
  async function refusedCount(command: string): Promise<number> {
    const stats = await Promise.all(cluster.nodes.map(({ admin }) => admin.info('commandstats')));
    return stats.reduce(
      (sum, text) =>
        sum + Number(new RegExp(`^cmdstat_${command}:.*rejected_calls=(\\d+)`, 'm').exec(text)?.[1] ?? 0),
      0,
    );
  }

  it('nothing is lost, doubled or hanging when a master is separated from everything', async () => {
    const service = await open();
    const ofJobs = await cluster.masterOf(JOBS_KEY);
    await service.during(async () => {
      cluster.separate(ofJobs);
      await takenOver(JOBS_KEY, ofJobs);
    });
    // It comes back with its old data, as a master that learns that it is none.
    await service.during(
      async () => {
        cluster.join();
        await until('the node is a replica', async () =>
          (await ofJobs.admin.info('replication')).includes('role:slave'),
        );
      },
      // Its shard has no replica yet.
      { replicated: false },
    );
    await service.finish();
  }, 90_000);

  it('a master that only the other nodes cannot reach is left by all connections', async () => {
    const service = await open();
    const client = clientOf(service.url);
    const ofJobs = await cluster.masterOf(JOBS_KEY);
    await service.publish();
    await cluster.replicated();
    // They read the slots only when something leads to it, not every few seconds.
    const redis = connectRedis(env.REDIS_URL!, 'request') as Cluster;
    const subscriber = connectSubscriber(env.REDIS_URL!) as Subscriber & { cluster: Cluster };
    ends.push(
      () => redis.disconnect(),
      () => subscriber.disconnect(),
    );
    for (const cluster of [redis, subscriber.cluster]) {
      await until('it is ready', () => cluster.status === 'ready');
      internalsOf(cluster).clearNodesRefreshInterval();
    }
    const found: string[] = [];
    subscriber.on('found', (channel) => found.push(channel));
    await subscriber.ssubscribe(`headway:${JOBS_KEY}`);

    cluster.separate(ofJobs, { clients: false });
    // For a moment, it accepts what is lost: Redis replicates without waiting.
    const starts = await Promise.allSettled(
      upTo(6).map(() => client.start('steps', STEPS, { delayMs: 600_000 })),
    );
    const lost = starts.flatMap((start) => (start.status === 'fulfilled' ? start.value : []));
    const watching = await Promise.all(
      lost.map((job) => openStream(client.events(job), { token: job.token })),
    );
    await takenOver(JOBS_KEY, ofJobs);
    // The subscriber asks the separated master first, which names itself.
    const { connectionPool } = internalsOf(subscriber.cluster);
    const { getNodes } = connectionPool;
    connectionPool.getNodes = (...args) => {
      connectionPool.getNodes = getNodes;
      const nodes = getNodes.apply(connectionPool, args);
      const separated = nodes.filter(({ options }) => options.port === ofJobs.announced);
      return separated.length > 0 ? separated : nodes;
    };
    await until('commands reach the new master', () =>
      redis.hset(`${JOBS_KEY}:test`, 'field', 1).catch(() => false),
    );
    await until('the subscription has moved', () => found.includes(`headway:${JOBS_KEY}`));
    await until('the API is ready', service.isUp);
    // Viewers of jobs that are lost do not hang.
    for (const [i, job] of lost.entries()) {
      await watching[i]!.ended;
      const { events, status } = watching[i]!;
      const last = events.at(-1);
      let end = last ? `${last.event} ${last.data.reason}` : `${status}`;
      // Redis was away when the viewer came. It comes back, as an EventSource does.
      if (end === '200') end = `${(await openStream(client.events(job), { token: job.token })).status}`;
      // The second, if the channel of the job is lost, too; the third, if the job was lost before the viewer came.
      expect(end).toMatch(/^(cancelled removed|reset expired|404)$/);
      const answer = await until('the API answers', async () => {
        const { status } = await client.get(job);
        return status !== 503 && status;
      });
      expect(answer).toBe(404);
    }
    await service.during(async () => cluster.join(), { replicated: false });
    await service.finish();
  }, 90_000);
});
