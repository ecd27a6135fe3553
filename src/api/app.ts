import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import express, { type Express } from 'express';
import helmet from 'helmet';
import { HeadwayError } from '../shared/errors.js';
import type { Logger } from '../shared/log.js';
import { BOARD_PATH, boardRoutes } from './board.js';
import { methods, problemHandler } from './problem.js';
import { requestLog } from './request-log.js';
import { definitionRoutes } from './routes/definitions.js';
import { filesRoutes } from './routes/files.js';
import { healthRoutes } from './routes/health.js';
import { type JobRoutesOptions, jobRoutes } from './routes/jobs.js';

export interface AppOptions extends JobRoutesOptions {
  log: Logger;
  stopping: () => boolean;
}

/** The page as Vite built it: beside the compiled code, or in `dist` when run from the source. */
const page = ['../web', '../../dist/web']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(`${path}/index.html`));

/** The Express application: every route of the API, and the page. */
export function createApp(options: AppOptions): Express {
  const { config, connection, registry, store, log, stopping } = options;
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.set('etag', false);
  app.use(healthRoutes(connection, stopping));
  app.use(requestLog(log));
  app.use(
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
  );
  app.use('/v1/files', filesRoutes({ store, config }));
  app.use(
    '/v1/jobs',
    requireJson,
    express.json({ limit: config.BODY_MAX_BYTES, strict: true }),
    jobRoutes(options),
  );
  app.use('/v1/definitions', definitionRoutes(registry));
  app.use(BOARD_PATH, boardRoutes(options));
  if (page) app.use(express.static(page, { index: 'index.html' }));
  app.all('/', methods('GET'));
  app.use((req) => {
    throw new HeadwayError('not-found', `There is nothing at ${req.path.slice(0, 200)}.`);
  });
  app.use(problemHandler(log));
  return app;
}

const requireJson: express.RequestHandler = (req, _res, next) => {
  const hasBody =
    req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
  if (hasBody && !req.is('application/json')) {
    throw new HeadwayError('unsupported-media-type', 'Send JSON, with Content-Type: application/json.');
  }
  next();
};
