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
export class HeldLeases {
  /** The process, in the leases of a role. */
  readonly id = randomUUID();
  private readonly held = new Set<string>();
  private lostAt = Number.NEGATIVE_INFINITY;

  /** Returns how many leases other than this one the process holds. */
  besides(key: string): number {
    return this.held.size - (this.held.has(key) ? 1 : 0);
  }

  /**
   * Returns whether the process may leave this lease to another process. All leases are renewed at about the same time, so
   * without an order the process would give all of them away. The next one is given when the other process has counted this one.
   */
  mayGive(key: string): boolean {
    const [first] = this.held;
    return first === key && performance.now() - this.lostAt > RENEW_MS;
  }

  add(key: string): void {
    this.held.add(key);
  }

  /** Makes this lease the last that may be given: nobody has asked for it. */
  keep(key: string): void {
    if (this.held.delete(key)) this.held.add(key);
  }

  delete(key: string): void {
    if (this.held.delete(key)) this.lostAt = performance.now();
  }

  has(key: string): boolean {
    return this.held.has(key);
  }
}

export interface LeaseOptions {
  /** Workers have precedence: an API process leads only while no worker holds the lease. */
  role: 'worker' | 'api';
  redis: RedisClient;
  key: string;
  /**
   * The leases of this process, if there are several. A process that holds at least two more than another one of its role
   * leaves it one at a time, so that they share the work. Defaults to a single lease.
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
  const holder = `${role}:${leases?.id ?? randomUUID()}`;
  const scripts = scriptsOf(redis, lifecycleScripts);

  let stopped = false;
  let leader: Promise<void> | undefined;
  let heldUntil = 0;
  const isHeld = (): boolean => performance.now() < heldUntil;

  async function renewLease(): Promise<void> {
    const asked = performance.now();
    const gives = leases?.mayGive(key) ?? false;
    // A lease that is held is only left to another process if its turn has come.
    const others = leases && (gives || !leases.has(key)) ? leases.besides(key) : '';
    const held = await scripts.takeLease(key, `${key}:asked`, holder, LEASE_MS, others);
    if (held !== 1) leases?.delete(key);
    else if (gives) leases?.keep(key);
    else if (!stopped) leases?.add(key);
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
