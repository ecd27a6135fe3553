import type { Redis } from 'ioredis';
import { serverOf } from './server-of.js';

/** How often each connection is looked at, in ms. */
const TICK_MS = 500;
/** A connection on which something was asked, and nothing came for this long, is replaced, in ms. */
const SILENT_MS = 2500;
/** After this long without a byte a connection that only listens is asked for a sign of life, in ms. */
const QUIET_MS = 1000;

/** What is used of ioredis beyond its types: the commands that wait for an answer, oldest first, and the socket. */
interface Internals {
  commandQueue: { length: number; peekAt(index: number): { command: QueuedCommand } | undefined };
  stream?: { bytesRead?: number; destroy(error?: Error): void };
}
interface QueuedCommand {
  /** For a command that blocks: ms, 0 for ever. Otherwise null or undefined. */
  extractBlockingTimeout?(): number | null | undefined;
}

/** For each server the connections of this process: each hears when another one was found dead, and since when. */
const connections = new Map<string, Set<(since: number) => void>>();

/**
 * Replaces a connection that is dead and says nothing: one from which nothing has come for 2.5 s while something was asked.
 * A network that drops packets in silence keeps such a connection open for minutes. Commands that block on purpose get
 * their own time on top, unless another connection to the same server was found dead meanwhile. Commands under way are
 * rejected or sent again, as the role of the connection says.
 * @param listens for a connection that subscribes: Redis may have nothing to say, so it is pinged when it is quiet
 */
export function watchLiveness(redis: Redis, { listens }: { listens: boolean }): void {
  const internals = redis as unknown as Internals;
  let seenBytes = -1;
  let seenAt = 0;
  let lastTick = 0;
  let asked = false;

  function tick(): void {
    const now = performance.now();
    const { stream, commandQueue } = internals;
    const bytes = stream?.bytesRead ?? -1;
    const waiting = commandQueue.length > 0;
    const justAsked = waiting && !asked;
    // A process that was busy itself has not read what came: it looks again before it judges.
    const wasBusy = now - lastTick > 2 * TICK_MS;
    if (bytes !== seenBytes || wasBusy || (justAsked && !listens)) seenAt = now;
    lastTick = now;
    seenBytes = bytes;
    asked = waiting;
    const silent = now - seenAt;
    if (waiting) {
      if (silent >= SILENT_MS + blockMs(commandQueue.peekAt(0)!.command)) {
        const since = seenAt;
        replace();
        for (const suspect of connections.get(server) ?? []) suspect(since);
      }
    } else if (listens && redis.status === 'ready' && silent >= QUIET_MS) {
      redis.ping().catch(() => {});
    }
  }

  function replace(): void {
    const silent = performance.now() - seenAt;
    seenAt = performance.now();
    internals.stream?.destroy(new Error(`Redis did not answer for ${Math.round(silent)} ms`));
  }
  /** Another connection has had no answer since then: one that has heard nothing since either, and waits, is as dead. */
  function suspect(since: number): void {
    const bytes = internals.stream?.bytesRead ?? -1;
    if (internals.commandQueue.length > 0 && bytes === seenBytes && seenAt <= since + TICK_MS) replace();
  }

  const server = serverOf(redis);
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    lastTick = seenAt = performance.now();
    seenBytes = -1;
    timer ??= setInterval(tick, TICK_MS).unref();
    connections.set(server, (connections.get(server) ?? new Set()).add(suspect));
  };
  redis.on('connect', start);
  redis.on('end', () => {
    clearInterval(timer);
    timer = undefined;
    const others = connections.get(server);
    others?.delete(suspect);
    if (others?.size === 0) connections.delete(server);
  });
}

/** How long a command may take on purpose, in ms. */
function blockMs(command: QueuedCommand): number {
  const ms = command.extractBlockingTimeout?.() ?? undefined;
  return ms === 0 ? Number.POSITIVE_INFINITY : (ms ?? 0);
}
