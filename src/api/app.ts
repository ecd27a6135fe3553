import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import cors from 'cors';
import express, { type Express, type Request, type Response } from 'express';
import helmet from 'helmet';
import { HeadwayError } from '../shared/errors.js';
import type { Logger } from '../shared/process/log.js';
import { basePathOf } from '../shared/process/public-url.js';
import { tracing } from '../shared/tracing/tracing.js';
import type { AuditLog } from './audit/audit-log.js';
import { refuseCrossSite } from './auth/cross-site.js';
import { ignoredCookieHint } from './auth/own-cookie.js';
import { identifyRoute } from './exchange/route.js';
import { createRouteFinder } from './exchange/route-finder.js';
import { allowedHosts, refuseUnknownHosts } from './http/allowed-hosts.js';
import { allowedOrigins } from './http/allowed-origins.js';
import { basePath, takeBasePath } from './http/base-path.js';
import { jsonBody } from './http/body.js';
import { inOneLayer } from './http/fixed-headers.js';
import type { Overload } from './http/overload.js';
import { pageFiles } from './http/pages.js';
import { methods, problemHandler } from './http/problem.js';
import { requestLog } from './http/request-log.js';
import { requestMetrics } from './http/request-metrics.js';
import { requestTrace } from './http/request-trace.js';
import type { Serving } from './http/serving.js';
import { boundUnreadBody } from './http/unread-body.js';
import type { Limiter } from './limits/limiter.js';
import { countPages, countRequests } from './limits/requests.js';
import { batchRoutes } from './routes/batch.js';
import { BOARD_PATH, boardRoutes } from './routes/board.js';
import { type ChannelRoutesOptions, channelRoutes } from './routes/channels.js';
import { type DashboardRoutesOptions, dashboardRoutes } from './routes/dashboard.js';
import { definitionRoutes } from './routes/definitions.js';
import { type EventRoutesOptions, eventRoutes } from './routes/events.js';
import { filesRoutes } from './routes/files.js';
import { healthRoutes } from './routes/health.js';
import { jobRoutes } from './routes/jobs.js';
import { type KeyRoutesOptions, keyRoutes } from './routes/keys.js';
import { type MetricsRoutesOptions, metricsRoutes } from './routes/metrics.js';
import { referenceRoutes } from './routes/reference.js';
import { type ScheduleRoutesOptions, scheduleRoutes } from './routes/schedules.js';
import { routeTable } from './routes/table.js';

export interface AppOptions
  extends ScheduleRoutesOptions,
    ChannelRoutesOptions,
    EventRoutesOptions,
    MetricsRoutesOptions,
    Omit<DashboardRoutesOptions, 'page'> {
  keys: KeyRoutesOptions;
  /** Whether the API is part of an application, which answers all other paths itself. */
  embedded: boolean;
  limiter: Limiter;
  log: Logger;
  audit: AuditLog;
  serving: Serving;
  overload: Overload;
}

/** The folder of the pages that Vite built: beside the compiled code, or in `dist` when running from source. */
const page = ['../web', '../../dist/web']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(`${path}/index.html`));

/** Serve files only: a redirect to a folder would lack the base path. */
const FILES_ONLY = { index: false, redirect: false };

/** Browsers may keep a file whose name contains the hash of its content, so that a page costs one request the next time. */
const NAMED_BY_HASH = { ...FILES_ONLY, immutable: true, maxAge: '1y' };

/** The folder of the client, which pages can load without a build step. */
const client = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/client' : '../client', import.meta.url),
);

/** Replaces a module of the client, so that a client loaded from this service connects to it by default. */
function sendDefaultUrl(req: Request, res: Response): void {
  const url = JSON.stringify(`${basePath(req)}/`);
  res.set('Cache-Control', 'no-cache').type('js').send(`export const DEFAULT_URL = ${url};\n`);
}

/** Creates the Express application with all routes of the API, and the pages. */
export function createApp(options: AppOptions): Express {
  const { config, limiter, store, embedded, log, serving, overload } = options;
  const origins = allowedOrigins(config.CORS_ORIGINS);
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.set('etag', false);
  app.set('trust proxy', config.TRUST_PROXY !== 'none' && config.TRUST_PROXY);
  app.use(serving.handler);
  app.use(takeBasePath(basePathOf(config.PUBLIC_URL)));
  // Requests for other paths of an application are not ours.
  app.use(embedded ? ['/v1', '/stream'] : '/', boundUnreadBody);
  app.use(identifyRoute(createRouteFinder(routeTable())));
  app.use(requestMetrics());
  const traces = tracing();
  if (traces) app.use(requestTrace(traces));
  app.use(healthRoutes(options));
  app.use(requestLog(options));
  app.use(
    inOneLayer(
      helmet({
        contentSecurityPolicy: {
          useDefaults: false,
          directives: {
            'default-src': "'self'",
            'img-src': ["'self'", 'data:'],
            'frame-ancestors': "'none'",
            'base-uri': "'none'",
            'form-action': "'self'",
          },
        },
        strictTransportSecurity: false,
        referrerPolicy: { policy: 'no-referrer' },
      }),
    ),
  );
  app.use(refuseUnknownHosts(allowedHosts(config, embedded)));
  app.use(
    cors({
      origin: origins.length > 0 ? origins : false,
      credentials: true,
      methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
      allowedHeaders: [
        'Authorization',
        'Content-Type',
        'Headway-Job-Tokens',
        'Idempotency-Key',
        'Last-Event-ID',
        'X-Request-Id',
        'Traceparent',
      ],
      exposedHeaders: ['Location', 'RateLimit', 'RateLimit-Policy', 'Retry-After', 'X-Request-Id'],
      maxAge: 600,
    }),
  );
  // A proxy may have replaced the host of the request.
  const own = config.PUBLIC_URL ? [new URL(config.PUBLIC_URL).origin] : [];
  app.use(refuseCrossSite([...own, ...origins]));
  const limited = ['/v1', '/stream', BOARD_PATH, '/dashboard/sign-in', '/metrics'];
  app.use(limited, countRequests({ limiter, identify: (req) => options.access.identify(req) }));
  const stopping = (): boolean => serving.stopping;
  app.use(overload.handler);
  app.use('/v1/files', filesRoutes({ access: options.access, limiter, store, config, stopping }));
  app.use('/v1/jobs', jobRoutes(options));
  app.use('/v1/jobs\\:batch', jsonBody(config.BODY_MAX_BYTES), batchRoutes(options));
  app.use(channelRoutes(options));
  app.use('/v1/events', eventRoutes(options));
  app.use('/v1', keyRoutes(options.keys));
  app.use('/v1/schedules', jsonBody(config.BODY_MAX_BYTES), scheduleRoutes(options));
  app.use('/v1/definitions', definitionRoutes({ ...options, keyspace: options.connection.keyspace }));
  app.use(BOARD_PATH, boardRoutes({ ...options, keyspace: options.connection.keyspace }));
  if (!embedded) app.use(metricsRoutes(options));
  app.use(['/dashboard', '/docs', '/openapi.json', '/asyncapi.json'], countPages(limiter, 'page'));
  app.use(dashboardRoutes({ ...options, page: embedded ? undefined : page }));
  app.use('/client', countPages(limiter, 'file'));
  app.use('/client/default-url.js', methods('GET'), sendDefaultUrl);
  app.use('/client', express.static(client, FILES_ONLY));
  app.use(referenceRoutes({ registry: options.registry, page: embedded ? undefined : page }));
  if (!embedded) {
    if (page)
      app.use('/assets', countPages(limiter, 'file'), express.static(`${page}/assets`, NAMED_BY_HASH));
    app.use(countPages(limiter, 'page'));
    if (page) app.use(pageFiles(page), express.static(page, FILES_ONLY));
    app.all('/', methods('GET'));
    app.use((req) => {
      throw new HeadwayError('not-found', `Nothing found at ${req.path.slice(0, 200)}.`);
    });
  }
  app.use(problemHandler(log, ignoredCookieHint));
  return app;
}
