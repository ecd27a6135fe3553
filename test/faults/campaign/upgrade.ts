import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './faults.js';
import { type Role, root } from './service.js';

/** Stops a process as a deployment does, and starts another release in its place. */
const replace = (role: Role, index: number, release: string, name: string): Fault => ({
  // The checker knows what a stopped process may cause by the name of that fault.
  kind: `${role}-term`,
  async run(service, ms) {
    const member = (role === 'api' ? service.apis : service.workers)[index]!;
    const obeyed = await member.end('SIGTERM');
    member.release = release;
    await member.start();
    await sleep(ms);
    const target = `${member.name} to ${name}`;
    return obeyed ? target : { target, trouble: 'it was asked to stop, and had to be killed' };
  },
});

/**
 * A rolling upgrade of two API processes and two workers, with a step back: for some time, both releases run as API and as
 * worker.
 */
export const rollingUpgrade = (from: string): readonly Fault[] => [
  replace('api', 0, root, 'the next release'),
  replace('worker', 0, root, 'the next release'),
  replace('worker', 0, from, 'the previous release'),
  replace('worker', 1, root, 'the next release'),
  replace('api', 1, root, 'the next release'),
  replace('worker', 0, root, 'the next release'),
];
