import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Action, Authorize } from '../../shared/auth/authorize.js';
import { HeadwayError } from '../../shared/errors.js';
import { operatorFiles } from '../../shared/jobs/registry.js';
import type { Logger } from '../../shared/process/log.js';
import { StartError } from '../../shared/start-error.js';
import type { Principal } from './principal.js';

const PATIENCE_MS = 5000;

/** Asks the operator's code, which may be slow or wrong. `undefined`: it has no opinion. */
export type Ask = (
  principal: Principal | undefined,
  action: Action,
  channel: string,
) => Promise<boolean | undefined>;

/**
 * Loads the code of `AUTHORIZE_MODULE`: a module (TypeScript or JavaScript) whose default export is a function.
 * @throws StartError when there is none
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
 * Makes code safe to ask: nobody gets in because it throws, or hangs because it does.
 * The promise rejects with a HeadwayError: `unavailable` when it takes too long, `internal` when it fails.
 */
export function askOf(authorize: Authorize | undefined, log: Logger): Ask {
  if (!authorize) return async () => undefined;
  return async (principal, action, channel) => {
    const { id, sub, tenant, claims } = principal ?? {};
    const asker = id === undefined ? undefined : { id, sub, tenant, claims };
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () =>
          reject(new HeadwayError('unavailable', 'It takes too long to find out whether you may do this.')),
        PATIENCE_MS,
      );
    });
    try {
      const said = await Promise.race([(async () => authorize(asker, action, channel))(), patience]);
      return typeof said === 'boolean' ? said : undefined;
    } catch (error) {
      if (error instanceof HeadwayError) throw error;
      log.error({ err: error, action, channel }, 'authorize() failed');
      throw new HeadwayError('internal', 'The authorization check failed. The error was logged.');
    } finally {
      clearTimeout(timer);
    }
  };
}
