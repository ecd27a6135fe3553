import type { Cluster, Command } from 'ioredis';

const SCRIPTS = new Set(['eval', 'evalsha']);

/** Internals of ioredis that its types leave out. */
interface Internals {
  sendCommand(command: Command, stream?: unknown, node?: unknown): unknown;
}

/**
 * Makes scripts wait while their slot moves to another node, also those with one key. `ASK` would lead such a script to the new
 * node as soon as its key is there. It would find there none of its other keys that have not moved yet, and take a job for
 * removed, or a lock for lost. On the old node, Redis refuses a script that uses a key that has moved.
 */
export function keepScriptsFromMovingSlots(cluster: Cluster): void {
  const internals = cluster as unknown as Internals;
  const { sendCommand } = internals;
  internals.sendCommand = function (this: unknown, command, stream, node) {
    const sent = sendCommand.call(this, command, stream, node);
    if (!SCRIPTS.has(command.name)) return sent;
    // ioredis has put its redirections here.
    const { reject } = command;
    command.reject = (error) => reject.call(command, error.message.startsWith('ASK ') ? tryAgain() : error);
    return sent;
  };
}

/** The reply to a command with several keys that are not on one node. */
const tryAgain = (): Error =>
  Object.assign(new Error('TRYAGAIN The slot of the keys moves'), { name: 'ReplyError' });
