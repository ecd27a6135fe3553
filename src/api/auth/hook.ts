import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Action, Authorize } from '../../shared/auth/authorize.js';
import { HeadwayError } from '../../shared/errors.js';
import { operatorFiles } from '../../shared/jobs/registry.js';
import type { Logger } from '../../shared/process/log.js';
import { StartError } from '../../shared/start-error.js';
import type { Principal } from './principal.js';

/** How long the operator's code may take, in ms. */
const TIMEOUT_MS = 5000;

/** Asks the operator's code whether an action is allowed. Resolves with `undefined` when it does not decide. */
export type Ask = (
  principal: Principal | undefined,
  action: Action,
  channel: string,
) => Promise<boolean | undefined>;

/**
 * Loads the module of `AUTHORIZE_MODULE` (TypeScript or JavaScript), whose default export is a function.
 * @throws StartError when it cannot be loaded or exports no function
 */
export async function loadAuthorize(path: string): Promise<Authorize | undefined> {
  if (path === '') return undefined;
  try {
    const loaded = await (await operatorFiles()).import(pathToFileURL(resolve(path)).href, { default: true });
    if (typeof loaded === 'function') return loaded as Authorize;
  } catch (error) {
    throw new StartError(`AUTHORIZE_MODULE: ${path} cannot be loaded: ${(error as Error).message}`);
  }
  throw new StartError(`AUTHORIZE_MODULE: ${path} has no default export that is a function`);
}

/**
 * Wraps the operator's code. If it throws or times out, access is denied: the promise rejects with a HeadwayError,
 * `internal` when it throws and `unavailable` when it times out.
 */
export function askOf(authorize: Authorize | undefined, log: Logger): Ask {
  if (!authorize) return async () => undefined;
  return async (principal, action, channel) => {
    const { id, sub, tenant, claims } = principal ?? {};
    const asker = id === undefined ? undefined : { id, sub, tenant, claims };
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new HeadwayError('unavailable', 'The authorization check timed out.')),
        TIMEOUT_MS,
      );
    });
    try {
      const decision = await Promise.race([(async () => authorize(asker, action, channel))(), timeout]);
      return typeof decision === 'boolean' ? decision : undefined;
    } catch (error) {
      if (error instanceof HeadwayError) throw error;
      log.error({ err: error, action, channel }, 'authorize() failed');
      throw new HeadwayError('internal', 'The authorization check failed. The error was logged.');
    } finally {
      clearTimeout(timer);
    }
  };
}
