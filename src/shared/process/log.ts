import { pino } from 'pino';
import { asError } from '../jobs/thrown.js';
import type { Config } from './config.js';
import { hideInLogs, redact, secretsOf } from './redact.js';

export type Logger = pino.Logger;

/**
 * Returns the logger of a process. It writes JSON lines to standard output, without the secrets of the configuration and
 * without texts in the form of a token, a key or a URL with a password.
 * @param number the number of the process under its supervisor, which is logged as `process`
 */
export function createLogger(
  config: Pick<Config, 'LOG_LEVEL'> & Partial<Config>,
  name: string,
  number?: number,
): Logger {
  hideInLogs(...secretsOf(config));
  return pino({
    name,
    level: config.LOG_LEVEL,
    base: { name, pid: process.pid, ...(number === undefined ? {} : { process: number }) },
    serializers: { err: logged },
    hooks: { streamWrite: redact },
  });
}

/** Maximum length of a logged error with all its properties, as JSON. A job can throw anything. */
const MAX_LOGGED = 32 * 1024;

function logged(error: unknown): unknown {
  try {
    const whole = JSON.stringify(pino.stdSerializers.err(error as Error), withoutArguments);
    if (whole.length <= MAX_LOGGED) return JSON.parse(whole);
  } catch {
    // A property throws, or the error cannot be converted to JSON.
  }
  const { name: type, message, stack } = asError(error);
  return { type, message, stack };
}

/** Reduces the command in an error of ioredis to its name: its arguments contain data, URLs and secrets of callers. */
const withoutArguments = (key: string, value: unknown): unknown =>
  key === 'command' && typeof value === 'object' && value !== null && 'name' in value ? value.name : value;
