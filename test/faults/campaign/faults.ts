import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../support/random.js';
import { freePort } from '../../support/redis.js';
import { until } from '../../support/until.js';
import type { Direction } from './network.js';
import type { Member, Role, Service } from './service.js';

/** A fault that is caused for a while and then undone. */
export interface Fault {
  kind: string;
  /**
   * Causes the fault, waits `ms` and undoes it.
   * @returns the target, and a problem with a process if there was one
   */
  run(service: Service, ms: number, random: Random): Promise<string | { target: string; trouble: string }>;
}

const membersOf = (service: Service, role: Role): Member[] =>
  role === 'api' ? service.apis : service.workers;

/** The processes that may be stopped or killed. */
const mortals = (service: Service, role: Role): Member[] =>
  membersOf(service, role).filter(({ lasting }) => !lasting);

/** Kills a process and starts it again after a while. */
const kill = (role: Role): Fault => ({
  kind: `${role}-kill`,
  async run(service, ms, random) {
    const member = random.pick(mortals(service, role));
    await member.end('SIGKILL');
    await sleep(ms);
    await member.start();
    return member.name;
  },
});

/** Freezes a process for a while, as a suspended machine does. */
const freeze = (role: Role): Fault => ({
  kind: `${role}-stop`,
  async run(service, ms, random) {
    const member = random.pick(membersOf(service, role));
    member.signal('SIGSTOP');
    await sleep(ms);
    member.signal('SIGCONT');
    return member.name;
  },
});

/** Asks a process to stop, as in a deployment, and starts another one. */
const restart = (role: Role): Fault => ({
  kind: `${role}-term`,
  async run(service, ms, random) {
    const member = random.pick(mortals(service, role));
    const obeyed = await member.end('SIGTERM');
    await sleep(Math.min(ms, 1000));
    await member.start();
    if (obeyed) return member.name;
    return { target: member.name, trouble: 'it was asked to stop, and had to be killed' };
  },
});

/** Stops Redis and restarts it on its append-only file. */
const redisEnds = (kind: string, signal: NodeJS.Signals): Fault => ({
  kind,
  async run({ redis }, ms) {
    await redis.end(signal);
    await sleep(ms);
    await redis.start();
    return 'redis';
  },
});

/** Changes the behaviour of Redis for a while. */
const redis = (
  kind: string,
  breakIt: (service: Service, ms: number) => Promise<unknown>,
  mendIt: (service: Service) => Promise<unknown> = async () => {},
): Fault => ({
  kind,
  async run(service, ms) {
    await breakIt(service, ms);
    await sleep(ms);
    await mendIt(service);
    return 'redis';
  },
});

const set = ({ redis }: Service, ...settings: Array<[string, string]>): Promise<unknown> =>
  Promise.all(settings.map(([name, value]) => redis.admin.config('SET', name, value)));

/** Repeats a command to Redis for a while. */
const redisAgain = (kind: string, everyMs: number, args: string[]): Fault => ({
  kind,
  async run({ redis }, ms) {
    const until = Date.now() + ms;
    while (Date.now() < until) {
      await (redis.admin.call as (...args: string[]) => Promise<unknown>)(...args);
      await sleep(everyMs);
    }
    return 'redis';
  },
});

const redisFaults: Fault[] = [
  redisEnds('redis-kill', 'SIGKILL'),
  redisEnds('redis-term', 'SIGTERM'),
  redis(
    'redis-stop',
    async ({ redis }) => redis.signal('SIGSTOP'),
    async ({ redis }) => redis.signal('SIGCONT'),
  ),
  // No master listens at that port, so Redis keeps its data, but refuses writes.
  redis(
    'redis-readonly',
    async ({ redis }) => redis.admin.replicaof('127.0.0.1', await freePort()),
    ({ redis }) => redis.admin.replicaof('NO', 'ONE'),
  ),
  redis(
    'redis-busy',
    async (service) => {
      await set(service, ['busy-reply-threshold', '50']);
      service.redis.admin.eval('while true do end', 0).catch(() => {});
    },
    async ({ redis }) => {
      // This connection waits for the script, so SCRIPT KILL needs another connection.
      const other = redis.admin.duplicate({ enableReadyCheck: false });
      other.on('error', () => {});
      await until('the script has ended', async () => {
        await other.script('KILL').catch(() => {});
        return (await other.ping().catch(() => '')) === 'PONG';
      });
      other.disconnect();
    },
  ),
  redis(
    'redis-oom',
    (service) => set(service, ['maxmemory', '1mb']),
    (service) => set(service, ['maxmemory', '0']),
  ),
  redis('redis-paused', async ({ redis }, ms) => redis.admin.call('CLIENT', 'PAUSE', String(ms), 'ALL')),
  redis(
    'redis-misconf',
    async (service) => {
      // A folder with the name of the file makes saving fail, and Redis then refuses writes.
      mkdirSync(join(service.redis.folder, 'dump.rdb', 'full'), { recursive: true });
      await set(service, ['save', '86400 100000000']);
      await service.redis.admin.bgsave();
      await until('the save has failed', async () =>
        (await service.redis.admin.info('persistence')).includes('rdb_last_bgsave_status:err'),
      );
    },
    async (service) => {
      await set(service, ['save', '']);
      rmSync(join(service.redis.folder, 'dump.rdb'), { recursive: true, force: true });
    },
  ),
  redis(
    'redis-noreplicas',
    (service) => set(service, ['min-replicas-to-write', '1']),
    (service) => set(service, ['min-replicas-to-write', '0']),
  ),
  redisAgain('redis-script-flush', 30, ['SCRIPT', 'FLUSH']),
  redisAgain('redis-cut-normal', 125, ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']),
  redisAgain('redis-cut-pubsub', 250, ['CLIENT', 'KILL', 'TYPE', 'pubsub']),
];

/** A bad network between the processes of one role and Redis. */
function networkFaults(role: Role): Fault[] {
  const fault = (
    what: string,
    run: (member: Member, ms: number, random: Random) => Promise<unknown>,
  ): Fault => ({
    kind: `${role}-redis-${what}`,
    async run(service, ms, random) {
      const member = random.pick(membersOf(service, role));
      await run(member, ms, random);
      return member.name;
    },
  });
  const again = async (ms: number, everyMs: number, step: () => void): Promise<void> => {
    for (let passed = 0; passed < ms; passed += everyMs) {
      step();
      await sleep(everyMs);
    }
  };
  const withhold = (direction: Direction): Fault =>
    fault(`withhold-${direction}`, async ({ network }, ms) => {
      network.withhold(direction);
      await sleep(ms);
      network.release();
    });
  return [
    fault('cut', ({ network }, ms) => again(ms, 200, network.cut)),
    fault('cut-in-answer', ({ network }, ms) => again(ms, 200, network.cutInAnswer)),
    fault('cut-delayed', async ({ network }, ms, random) => {
      const direction = random.pick(['calls', 'answers'] as const);
      network.delay(direction, random.between(30, 120));
      await again(ms, 400, network.cut);
      network.delay(direction, 0);
    }),
    fault('slow', async ({ network }, ms, random) => {
      network.delay('answers', random.between(50, 400));
      await sleep(ms);
      network.delay('answers', 0);
    }),
    withhold('calls'),
    withhold('answers'),
    fault('half-open', async ({ network }, ms) => {
      network.abandon();
      await sleep(ms);
    }),
  ];
}

/** A bad network between viewers and the API. */
const viewerFaults: Fault[] = [
  {
    kind: 'viewers-cut',
    async run({ front }, ms) {
      for (let passed = 0; passed < ms; passed += 500) {
        front.cut();
        await sleep(500);
      }
      return 'viewers';
    },
  },
  {
    kind: 'viewers-cut-in-answer',
    async run({ front }, ms) {
      front.cutInAnswer();
      await sleep(ms);
      return 'viewers';
    },
  },
  {
    kind: 'viewers-slow',
    async run({ front }, ms, random) {
      front.delay('answers', random.between(100, 600));
      await sleep(ms);
      front.delay('answers', 0);
      return 'viewers';
    },
  },
  {
    kind: 'viewers-withhold',
    async run({ front }, ms, random) {
      front.withhold(random.pick(['calls', 'answers'] as const));
      await sleep(ms);
      front.release();
      return 'viewers';
    },
  },
];

/** Faults after which Redis still has everything that it acknowledged. */
export const PLAIN_FAULTS: readonly Fault[] = [
  ...(['api', 'worker'] as const).flatMap((role) => [kill(role), freeze(role), restart(role)]),
  ...redisFaults,
  ...networkFaults('api'),
  ...networkFaults('worker'),
  ...viewerFaults,
];

/** No fault. A finding then shows a defect of the checker, or of Headway in normal operation. */
export const NO_FAULT: Fault = {
  kind: 'nothing',
  async run(_service, ms) {
    await sleep(ms);
    return 'nothing';
  },
};
