import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { HeldLeases, startLease } from '../../../src/shared/lifecycle/lease.js';
import { connectRedis } from '../../../src/shared/redis/connect.js';
import { allScripts, startRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

const KEYS = ['{a}.lease', '{b}.lease', '{c}.lease', '{d}.lease'];

describe('the leases of several shards', () => {
  it('are shared out once and then stay where they are', async () => {
    const server = await startRedis();
    const redis = connectRedis(server.url, 'patient', { scripts: allScripts });
    let led = 0;
    const startProcess = () => {
      const leases = new HeldLeases();
      let renewals = 0;
      const services = KEYS.map((key) =>
        startLease({
          role: 'worker',
          redis,
          key,
          leases,
          async lead(isHeld) {
            led++;
            await until('the lease is lost', () => !isHeld(), 60_000);
          },
          async chore() {
            renewals++;
          },
          log: pino({ level: 'silent' }),
        }),
      );
      return { leases, services, renewals: () => renewals };
    };
    const heldBy = async (leases: HeldLeases): Promise<number> =>
      (await Promise.all(KEYS.map((key) => redis.get(key)))).filter((by) => by === `worker:${leases.id}`)
        .length;

    const first = startProcess();
    await until('the first process leads', async () => (await heldBy(first.leases)) === KEYS.length);
    const second = startProcess();
    await until('the work is shared', async () => {
      return (await heldBy(first.leases)) === 2 && (await heldBy(second.leases)) === 2;
    });
    const before = first.renewals() + second.renewals();
    await until('all are renewed five times', () => first.renewals() + second.renewals() >= before + 20);
    expect([await heldBy(first.leases), await heldBy(second.leases)]).toEqual([2, 2]);
    // Four of the first process, and two that it has left to the second one.
    expect(led).toBe(6);
    await Promise.all([...first.services, ...second.services].map((service) => service.stop()));
    redis.disconnect();
    await server.stop();
  });
});
