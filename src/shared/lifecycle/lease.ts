import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../process/log.js';
import type { Service } from '../process/service.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { lifecycleScripts } from './scripts.js';

const LEASE_MS = 3000;
const RENEW_MS = 1000;
const STOP_MS = 1000;

/** The leases that a process holds, one for each shard that it leads. */
export type HeldLeases = Set<string>;

export interface LeaseOptions {
  /** Workers have precedence: an API process leads only while no worker holds the lease. */
  role: 'worker' | 'api';
  redis: RedisClient;
  key: string;
  /**
   * The leases of this process, if there are several. A process that holds at least two more than another one of its role
   * leaves it one, so that they share the work. Defaults to a single lease.
   */
  leases?: HeldLeases;
  /** The work of the leader. It returns soon after `isHeld` has become false; it is called again while the lease is held. */
  lead: (isHeld: () => boolean) => Promise<void>;
  /** Further work of the leader, done each time the lease is renewed. */
  chore: () => Promise<void>;
  log: Logger;
}

/** Elects one process as the leader, by a lease in Redis that the leader renews. Leases of several shards are shared out. */
export function startLease({ role, redis, key, leases, lead, chore, log }: LeaseOptions): Service {
  const holder = `${role}:${randomUUID()}`;
  const scripts = scriptsOf(redis, lifecycleScripts);

  let stopped = false;
  let leader: Promise<void> | undefined;
  let heldUntil = 0;
  const isHeld = (): boolean => performance.now() < heldUntil;

  async function renewLease(): Promise<void> {
    const asked = performance.now();
    const others = leases === undefined ? '' : leases.size - (leases.has(key) ? 1 : 0);
    const held = await scripts.takeLease(key, `${key}:asked`, holder, LEASE_MS, others);
    if (held === 1) leases?.add(key);
    else leases?.delete(key);
    if (held === 1) heldUntil = asked + LEASE_MS;
    if (held === 1 && !leader && !stopped) {
      leader = lead(isHeld).finally(() => {
        leader = undefined;
      });
    }
    if (held === 1) await chore();
    else heldUntil = 0;
  }

  const tick = (): void => {
    renewLease().catch((error) => log.debug({ err: error }, 'could not renew the lease'));
  };
  // An API process waits longer, so that a new worker gets the lease first.
  const timer = setInterval(tick, role === 'worker' ? RENEW_MS : 2 * RENEW_MS);
  if (role === 'worker') tick();

  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      leases?.delete(key);
      const release = async (): Promise<void> => {
        await leader;
        if (isHeld() && (await redis.get(key)) === holder) await redis.del(key);
      };
      // Commands wait while Redis is unavailable. The lease then expires on its own.
      await Promise.race([release().catch(() => {}), sleep(STOP_MS, undefined, { ref: false })]);
    },
  };
}
