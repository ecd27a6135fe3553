import { HeadwayError } from '../../shared/errors.js';
import type { JobDefinition } from '../../shared/jobs/definition.js';
import { type LimitedCaller, limitErrors } from '../../shared/jobs/limits.js';
import type { JobOptions } from '../../shared/jobs/options.js';
import type { Principal } from '../auth/principal.js';
import { firstError } from '../http/invalid.js';

/**
 * Checks that the token of a caller allows a kind of job.
 * @param caller `undefined` if unidentified, without a restriction
 * @throws HeadwayError `forbidden`
 */
export function requireKind(caller: Principal | undefined, name: string): void {
  const allowed = caller?.grants.jobs;
  if (!allowed || allowed.includes(name)) return;
  const others = allowed.length > 0 ? `It allows only ${allowed.slice(0, 20).join(', ')}` : 'It allows none';
  throw new HeadwayError('forbidden', `Your token does not allow you to start ${name}. ${others}.`);
}

/** A job that a caller wants to start. */
export interface Wanted {
  definition: JobDefinition;
  data: unknown;
  options: Pick<JobOptions, 'timeoutMs'>;
}

/**
 * Checks a job against the limits of its kind for a caller, and its time limit.
 * @param defaultTimeoutMs the time limit of kinds that have none; 0 for no limit
 * @throws HeadwayError `limit-exceeded` with what exceeds a limit
 */
export async function requireWithinLimits(
  { definition, data, options }: Wanted,
  caller: LimitedCaller,
  defaultTimeoutMs: number,
): Promise<void> {
  const errors = (await limitErrors(definition, data, caller)).map((error) => ({
    ...error,
    pointer: `/data${error.pointer}`,
  }));
  const timeoutMs = definition.defaults?.timeoutMs ?? defaultTimeoutMs;
  if (!caller.signedIn && timeoutMs > 0 && (options.timeoutMs ?? 0) > timeoutMs) {
    errors.push({ pointer: '/options/timeoutMs', detail: `must be at most ${timeoutMs} if unauthenticated` });
  }
  if (errors.length === 0) return;
  const advice = caller.signedIn
    ? 'Only an admin may exceed this limit.'
    : 'Callers with a token may ask for more.';
  throw new HeadwayError('limit-exceeded', `${firstError(errors)}. ${advice}`, errors);
}
