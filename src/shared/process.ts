import { ConfigError } from './config.js';
import type { Logger } from './log.js';
import { UnusableRedisError } from './redis.js';
import { RegistryError } from './registry.js';

/** Exit code of a process that would fail the same way again: whoever supervises it should not start it again (EX_CONFIG). */
export const EXIT_CONFIG = 78;

/** A mistake of the operator's, told in one line without a stack. */
export class StartError extends Error {}

/**
 * Runs a process's main function. A mistake in configuration or surroundings ends it with one line per mistake
 * on standard error.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const explained =
      error instanceof ConfigError ||
      error instanceof UnusableRedisError ||
      error instanceof RegistryError ||
      error instanceof StartError;
    if (!explained) {
      console.error(error);
      process.exit(1);
    }
    for (const line of error.message.split('\n')) console.error(`error: ${line}`);
    process.exit(EXIT_CONFIG);
  }
}

/**
 * Calls `stop` once, when the process is asked to end (SIGTERM, SIGINT) or has lost the supervisor that it was
 * started by, and exits when that is done.
 */
export function onShutdown(log: Logger, stop: () => Promise<void>): void {
  let stopping = false;
  const shutdown = (reason: string) => async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, 'stopping');
    try {
      await stop();
      process.exit(0);
    } catch (error) {
      log.error({ err: error }, 'could not stop cleanly');
      process.exit(1);
    }
  };
  process.on('SIGTERM', shutdown('SIGTERM'));
  process.on('SIGINT', shutdown('SIGINT'));
  process.on('disconnect', shutdown('supervisor gone'));
}

/** Tells a supervisor, when there is one, that this process is up. */
export function announce(message: { type: 'listening'; url: string } | { type: 'ready' }): void {
  process.send?.(message);
}
