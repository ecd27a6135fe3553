import type { Redis } from 'ioredis';

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

/**
 * Replaces a connection that is dead and says nothing: one from which nothing has come for 2.5 s while something was asked.
 * A network that drops packets in silence keeps such a connection open for minutes. Commands that block on purpose get
 * their own time on top. Commands under way are rejected or sent again, as the connection's role says.
 * @param listens for a connection that subscribes: Redis may have nothing to say, so it is pinged when it is quiet
 */
export function watchLiveness(redis: Redis, { listens }: { listens: boolean }): void {
  const internals = redis as unknown as Internals;
  let seenBytes = -1;
  let seenAt = 0;
  let lastTick = 0;
  let asked = false;

  function tick(): void {
    const now = Date.now();
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
      if (stream && silent >= SILENT_MS + blockMs(commandQueue.peekAt(0)!.command)) {
        seenAt = now;
        stream.destroy(new Error(`Redis did not answer for ${silent} ms`));
      }
    } else if (listens && redis.status === 'ready' && silent >= QUIET_MS) {
      redis.ping().catch(() => {});
    }
  }

  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    lastTick = seenAt = Date.now();
    seenBytes = -1;
    timer ??= setInterval(tick, TICK_MS).unref();
  };
  redis.on('connect', start);
  redis.on('end', () => {
    clearInterval(timer);
    timer = undefined;
  });
}

/** How long a command may take on purpose, in ms. */
function blockMs(command: QueuedCommand): number {
  const ms = command.extractBlockingTimeout?.() ?? undefined;
  return ms === 0 ? Number.POSITIVE_INFINITY : (ms ?? 0);
}
