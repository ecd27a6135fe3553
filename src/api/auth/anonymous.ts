import type { Config } from '../../shared/process/config.js';
import type { Logger } from '../../shared/process/log.js';
import { isLoopback } from '../../shared/process/loopback.js';

/** What callers without a token may do: start jobs, only watch, or nothing. */
export type AnonymousMode = Exclude<Config['ANONYMOUS'], ''>;

/** The mode in force, and the reason for it as text. */
export interface AnonymousChoice {
  mode: AnonymousMode;
  why: string;
}

/** Where the API runs. */
export interface Exposure {
  /** Whether `NODE_ENV` is `production`. */
  production: boolean;
  /** Whether the API is part of an application, so that the address it is reached at is unknown. */
  embedded: boolean;
}

/** Returns the configured mode, or the default: anonymous callers are denied where others can probably reach the service. */
export function chooseAnonymous(
  { ANONYMOUS, HOST }: Pick<Config, 'ANONYMOUS' | 'HOST'>,
  { production, embedded }: Exposure,
): AnonymousChoice {
  if (ANONYMOUS) return { mode: ANONYMOUS, why: 'as configured' };
  if (!production) return { mode: 'allow', why: 'the default without NODE_ENV=production' };
  if (embedded) return { mode: 'deny', why: 'the default with NODE_ENV=production' };
  return isLoopback(HOST)
    ? { mode: 'allow', why: `the default for HOST=${HOST}, which is loopback` }
    : { mode: 'deny', why: `the default with NODE_ENV=production and HOST=${HOST}` };
}

const EFFECTS: Record<AnonymousMode, string> = {
  allow:
    'callers without a token may start jobs, upload files and make schedules; a token that is restricted to kinds of job limits nobody, because its bearer can omit it',
  watch: 'callers without a token may only watch',
  deny: 'callers without a token are refused',
};

/** Logs the mode at start. It is a warning where others may reach a service that is open to all by default. */
export function logAnonymous(
  { mode, why }: AnonymousChoice,
  config: Pick<Config, 'ANONYMOUS' | 'HOST'>,
  { production, embedded }: Exposure,
  log: Logger,
): void {
  const text = `ANONYMOUS=${mode} (${why}): ${EFFECTS[mode]}`;
  const isExposed = production || (!embedded && !isLoopback(config.HOST));
  const isUnclear = config.ANONYMOUS === '' && isExposed && (mode === 'allow' || embedded);
  log[isUnclear ? 'warn' : 'info']({ anonymous: mode }, text);
}
