import { pino } from 'pino';
import type { Config } from './config.js';

export type Logger = pino.Logger;

/** The process's logger: JSON lines on standard output. */
export function createLogger(config: Pick<Config, 'LOG_LEVEL'>, name: string): Logger {
  return pino({ name, level: config.LOG_LEVEL, base: { name, pid: process.pid } });
}
