import type { Redis } from 'ioredis';
import { serverOf } from './server-run.js';

/** How often each connection is checked, in ms. */
const TICK_MS = 500;
/** A connection with a pending command that receives nothing for this long is replaced, in ms. */
const SILENT_MS = 2500;
/** A subscriber connection that receives nothing for this long is pinged, in ms. */
const QUIET_MS = 1000;

/** Internals of ioredis that its types leave out: the pending commands, oldest first, and the socket. */
interface Internals {
  commandQueue: { length: number; peekAt(index: number): { command: QueuedCommand } | undefined };
  stream?: { bytesRead?: number; destroy(error?: Error): void };
}
interface QueuedCommand {
  /** The timeout of a blocking command in ms, 0 for none; null or undefined for other commands. */
  extractBlockingTimeout?(): number | null | undefined;
}

interface Watched {
  server: string;
  /** Checks the connection. */
  check(): void;
  /** Called when another connection to the same server was found dead. */
  suspect(since: number): void;
}

/** The open connections of this process. */
const watched = new Set<Watched>();
/** One for all connections: timers of their own would wake an idle process at as many different times. */
let timer: NodeJS.Timeout | undefined;

function watch(connection: Watched): void {
  watched.add(connection);
  timer ??= setInterval(() => {
    for (const { check } of watched) check();
  }, TICK_MS).unref();
}

function unwatch(connection: Watched): void {
  watched.delete(connection);
  if (watched.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

/**
 * Replaces a dead connection: one that has received nothing for 2.5 s while a command was pending. A network that silently
 * drops packets would keep it open for minutes. Blocking commands get their own timeout in addition, unless another
 * connection to the same server is found dead in the meantime. Pending commands are rejected or sent again, depending on the
 * role of the connection.
 * @param listens whether the connection subscribes. Redis may have nothing to send on it, so it is pinged when it is quiet.
 */
export function watchLiveness(redis: Redis, { listens }: { listens: boolean }): void {
  const internals = redis as unknown as Internals;
  let seenBytes = -1;
  let seenAt = 0;
  let checkedAt = 0;
  let hadPending = false;

  function check(): void {
    const now = performance.now();
    const { stream, commandQueue } = internals;
    const bytes = stream?.bytesRead ?? -1;
    const oldest = commandQueue.peekAt(0);
    const pending = oldest !== undefined;
    const justSent = pending && !hadPending;
    // A process that was busy has not read its sockets: it waits for the next check.
    const wasBusy = now - checkedAt > 2 * TICK_MS;
    if (bytes !== seenBytes || wasBusy || (justSent && !listens)) seenAt = now;
    checkedAt = now;
    seenBytes = bytes;
    hadPending = pending;
    const silent = now - seenAt;
    if (oldest) {
      if (silent >= SILENT_MS + blockMs(oldest.command)) {
        const since = seenAt;
        replace();
        for (const other of watched) if (other.server === connection.server) other.suspect(since);
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
  /** Called when another connection has been dead since `since`. This one is dead too if it waits and has received nothing since. */
  function suspect(since: number): void {
    const bytes = internals.stream?.bytesRead ?? -1;
    if (internals.commandQueue.length > 0 && bytes === seenBytes && seenAt <= since + TICK_MS) replace();
  }

  const connection: Watched = { server: serverOf(redis), check, suspect };
  redis.on('connect', () => {
    checkedAt = seenAt = performance.now();
    seenBytes = -1;
    watch(connection);
  });
  redis.on('end', () => unwatch(connection));
}

/** Returns how long a command may block, in ms. */
function blockMs(command: QueuedCommand): number {
  const ms = command.extractBlockingTimeout?.() ?? undefined;
  return ms === 0 ? Number.POSITIVE_INFINITY : (ms ?? 0);
}
