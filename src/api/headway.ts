import type { Authorize } from '../shared/auth/authorize.js';
import { registryOf } from '../shared/jobs/registry.js';
import { createLogger } from '../shared/process/log.js';
import { basePathOf } from '../shared/process/public-url.js';
import { type LibraryOptions, librarySettings } from '../shared/process/settings.js';
import { embed, type Handler } from './http/embed.js';
import { builtInJobsDir, openService } from './service.js';

export type { Action, Asker, Authorize } from '../shared/auth/authorize.js';
export { defineJob } from '../shared/jobs/definition.js';
export { RegistryError } from '../shared/jobs/registry.js';
export { ConfigError } from '../shared/process/config.js';
export { UnusableRedisError } from '../shared/redis/connect.js';
export { type Channels, connectChannels } from '../shared/runtime/channels.js';
export { StartError } from '../shared/start-error.js';

export interface HeadwayOptions extends LibraryOptions {
  /** Decides what rules cannot say about who may do what. */
  authorize?: Authorize;
}

/** Headway's API as a part of somebody's Express application. */
export interface Headway {
  /**
   * All routes, under the paths of PROTOCOL.md: `app.use(headway.router)`, before a body parser; or below a path, which is
   * then in all links: `app.use('/headway', headway.router)`. What is not ours is left to the application, as it was.
   * Express 5 or 4, or what calls a handler as they do.
   */
  router: Handler;
  /** Ends all streams and lets go of Redis. */
  close(): Promise<void>;
}

/**
 * Makes Headway's API a part of an Express application.
 * @throws ConfigError, RegistryError, StartError, UnusableRedisError where it cannot be; the message says why
 */
export async function createHeadway(options: HeadwayOptions): Promise<Headway> {
  const config = librarySettings(options);
  const registry = await registryOf(options.jobs, builtInJobsDir);
  const log = createLogger(config, 'headway');
  const service = await openService({ config, registry, authorize: options.authorize, embedded: true, log });
  return {
    router: embed(service.app, basePathOf(config.PUBLIC_URL)),
    async close() {
      service.retire();
      await service.close();
    },
  };
}
