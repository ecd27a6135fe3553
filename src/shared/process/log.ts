import { pino } from 'pino';
import { asError } from '../jobs/thrown.js';
import type { Config } from './config.js';

export type Logger = pino.Logger;

/** Returns the logger of a process. It writes JSON lines to standard output. */
export function createLogger(config: Pick<Config, 'LOG_LEVEL'>, name: string): Logger {
  return pino({
    name,
    level: config.LOG_LEVEL,
    base: { name, pid: process.pid },
    serializers: { err: logged },
  });
}

/** Maximum length of a logged error with all its properties, as JSON. A job can throw anything. */
const MAX_LOGGED = 32 * 1024;

function logged(error: unknown): unknown {
  try {
    const whole: unknown = pino.stdSerializers.err(error as Error);
    if (JSON.stringify(whole).length <= MAX_LOGGED) return whole;
  } catch {
    // A property throws, or the error cannot be converted to JSON.
  }
  const { name: type, message, stack } = asError(error);
  return { type, message, stack };
}
