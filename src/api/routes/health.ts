import { Router } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import { RELEASE } from '../../shared/process/version.js';
import type { Connection } from '../../shared/runtime/connection.js';
import { methods } from '../http/problem.js';

export interface HealthRoutesOptions {
  connection: Connection;
  stopping: () => boolean;
}

/** `/healthz`: the process is running. `/readyz`: it can serve requests, because Redis accepts writes. */
export function healthRoutes({ connection, stopping }: HealthRoutesOptions): Router {
  const router = Router();
  router
    .route('/healthz')
    .all(methods('GET'))
    .get((_req, res) => {
      res.set('Cache-Control', 'no-store').json({ status: 'ok', version: RELEASE });
    });
  router
    .route('/readyz')
    .all(methods('GET'))
    .get(async (_req, res) => {
      if (stopping()) throw new HeadwayError('unavailable', 'The process is stopping.');
      // A Redis that is read-only, full or unable to save still answers PING. This command counts as a write, but changes
      // nothing: it writes an empty string to a key that does not exist.
      await connection.redis.setrange(`${connection.keyspace.prefix}:{ready}`, 0, '');
      res.set('Cache-Control', 'no-store').json({ status: 'ready' });
    });
  return router;
}
