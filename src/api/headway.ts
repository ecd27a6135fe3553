import type { Authorize } from '../shared/auth/authorize.js';
import { registryOf } from '../shared/jobs/registry.js';
import { createLogger } from '../shared/process/log.js';
import { basePathOf } from '../shared/process/public-url.js';
import { inOneProcess, type LibraryOptions, librarySettings } from '../shared/process/settings.js';
import { embed, type Handler } from './http/embed.js';
import { type FetchHandler, fetchHandler } from './http/fetch.js';
import type { HeadwayJobs } from './in-process/jobs.js';
import type { JobList } from './in-process/kinds.js';
import { builtInJobsDir, openService } from './service.js';

export type { Action, Asker, Authorize } from '../shared/auth/authorize.js';
export { HeadwayError } from '../shared/errors.js';
export { DataFormatError } from '../shared/format/format.js';
export { defineJob } from '../shared/jobs/definition.js';
export type { JobEvent } from '../shared/jobs/events/types.js';
export { RegistryError } from '../shared/jobs/registry.js';
export { metricsRegistry } from '../shared/metrics/registry.js';
export { ConfigError } from '../shared/process/config.js';
export { UnusableRedisError } from '../shared/redis/unusable.js';
export { type Channels, connectChannels } from '../shared/runtime/channels.js';
export { StartError } from '../shared/start-error.js';
export type { FetchHandler, FetchOptions } from './http/fetch.js';
export type {
  HeadwayJobs,
  JobNow,
  JobOwner,
  JobReference,
  ListOptions,
  StartedJob,
  StartOptions,
  WatchOptions,
} from './in-process/jobs.js';

export interface HeadwayOptions<J extends JobList = JobList> extends LibraryOptions {
  /**
   * Job definitions, and folders of job files (as in `JOBS_DIR`). If all are definitions, their names type `startJob`.
   */
  jobs: J;
  /** The authorization hook. It is asked before tokens and rules decide. */
  authorize?: Authorize;
}

/**
 * Headway's API as part of an Express application: its routes, and the same for the code of the application. `J` is the type of
 * `jobs`: `Headway<[typeof greet]>`. By default, starts by name are not typed.
 */
export interface Headway<J extends JobList = JobList> extends HeadwayJobs<J> {
  /**
   * Handles all paths of docs/reference/http.md, and leaves every other request to the application. Use it before body parsers:
   * `app.use(headway.router)`, or under a path, which all links then include: `app.use('/headway', headway.router)`.
   * Works with Express 4 and 5, and with frameworks that call handlers in the same way.
   */
  router: Handler;
  /**
   * Answers a `Request` of the Fetch API with a `Response`, for route handlers of Next.js, SvelteKit, Hono and others. The
   * paths are those of {@link router}, below `basePath` if the routes have one; any other path gets 404. Streams, uploads,
   * cookies and `request.signal` work as over HTTP. Use {@link router} where the framework gives you Node's own request:
   * it costs less.
   */
  fetch: FetchHandler;
  /**
   * Stops Headway's part of the application. From the call on, `/readyz` returns 503 and responses close their connection;
   * everything is still served for `DRAIN_DELAY_MS` (0 if unset). Then viewers are disconnected in waves, open requests and
   * uploads have `SHUTDOWN_GRACE_MS` to finish, and the connections to Redis are closed. The listener belongs to the
   * application: close it when the promise resolves.
   */
  close(): Promise<void>;
}

/**
 * Creates Headway's API for an Express application.
 * Resolves when Redis answers.
 * @throws ConfigError, RegistryError, StartError, UnusableRedisError or DataFormatError with the reason when it cannot start
 */
export async function createHeadway<const J extends JobList>(
  options: HeadwayOptions<J>,
): Promise<Headway<J>> {
  const settings = librarySettings(options);
  const log = createLogger(settings, 'headway');
  const config = inOneProcess(settings, 'API_PROCESSES', log);
  const registry = await registryOf(options.jobs, builtInJobsDir);
  const service = await openService({
    config,
    registry,
    authorize: options.authorize,
    embedded: true,
    log,
    waiting: { signal: options.signal },
  });
  const router = embed(service.app, basePathOf(config.PUBLIC_URL));
  return {
    ...(service.jobs as HeadwayJobs<J>),
    router,
    fetch: fetchHandler(router),
    close: () => service.stop({ drainMs: config.DRAIN_DELAY_MS || 0 }),
  };
}
