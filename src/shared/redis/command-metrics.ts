import type { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { redisCommands, redisLatency, redisOutageSeconds, redisOutages } from '../metrics/process-metrics.js';

/** Commands that wait for something to happen. Their duration says nothing about Redis. */
const BLOCKING = new Set([
  'bzpopmin',
  'blpop',
  'brpop',
  'brpoplpush',
  'blmove',
  'xread',
  'xreadgroup',
  'wait',
]);

/** The part of ioredis' commands that is used. */
interface Command {
  name: string;
  promise: Promise<unknown>;
}

/**
 * Counts the commands of a connection to a server, and how long Redis takes to answer.
 * @param purpose the value of the label `connection`
 */
export function countCommands(redis: Redis, purpose: string): void {
  const commands = redisCommands.at(purpose);
  const latency = redisLatency.at(purpose);
  const connection = redis as unknown as {
    sendCommand(command: Command, stream?: unknown, node?: unknown): unknown;
  };
  const { sendCommand } = connection;
  let measuring = false;
  connection.sendCommand = function (this: unknown, command, stream, node) {
    // A command that waits for the connection comes here again when it is sent, which is when it counts.
    if (redis.status !== 'ready') return sendCommand.call(this, command, stream, node);
    commands.value++;
    // One at a time: a promise for each command would cost more than all other counters together.
    if (!measuring && !BLOCKING.has(command.name)) {
      measuring = true;
      const sentAt = performance.now();
      const measured = (): void => {
        measuring = false;
        latency.observe((performance.now() - sentAt) / 1000);
      };
      const failed = (): void => {
        measuring = false;
      };
      command.promise.then(measured, failed);
    }
    return sendCommand.call(this, command, stream, node);
  };
}

/** How a connection tells that it is lost and back. */
export interface OutageEvents {
  lost: string;
  back: string;
}

/** Not 'close', which also happens when this process closes the connection. It repeats with each attempt to connect. */
const SERVER_EVENTS: OutageEvents = { lost: 'reconnecting', back: 'ready' };

/** Counts how often and how long a connection is lost. @param purpose the value of the label `connection` */
export function countOutages(
  redis: EventEmitter,
  purpose: string,
  events: OutageEvents = SERVER_EVENTS,
): void {
  const outages = redisOutages.at(purpose);
  const outageSeconds = redisOutageSeconds.at(purpose);
  let wasReady = false;
  let lostAt: number | undefined;
  redis.on('ready', () => {
    wasReady = true;
  });
  redis.on(events.lost, () => {
    // A Redis that is away at the start is waited for: no connection was lost.
    if (!wasReady || lostAt !== undefined) return;
    lostAt = performance.now();
    outages.value++;
  });
  redis.on(events.back, () => {
    if (lostAt === undefined) return;
    outageSeconds.value += (performance.now() - lostAt) / 1000;
    lostAt = undefined;
  });
}
