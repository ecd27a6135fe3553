import { Router } from 'express';
import type { Connection } from '../../shared/connection.js';
import { HeadwayError } from '../../shared/errors.js';
import { RELEASE } from '../../shared/version.js';
import { methods } from '../problem.js';

/** `/healthz`: the process runs. `/readyz`: it can serve, because Redis answers. */
export function healthRoutes({ redis }: Connection, stopping: () => boolean): Router {
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
      if (stopping()) throw new HeadwayError('unavailable', 'This process is stopping.');
      await redis.ping();
      res.set('Cache-Control', 'no-store').json({ status: 'ready' });
    });
  return router;
}
