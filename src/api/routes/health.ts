import { type Request, type Response, Router } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import { RELEASE } from '../../shared/process/version.js';
import type { Connection } from '../../shared/runtime/connection.js';
import { basePath } from '../http/base-path.js';
import { type Overload, overloaded } from '../http/overload.js';
import { methods } from '../http/problem.js';
import type { Serving } from '../http/serving.js';

export interface HealthRoutesOptions {
  connection: Connection;
  serving: Serving;
  overload: Overload;
}

/** `/healthz`: the process is running. `/readyz`: it can serve requests, because Redis accepts writes. */
export function healthRoutes({ connection, serving, overload }: HealthRoutesOptions): Router {
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
    .get(async (req, res) => {
      if (serving.draining) {
        return notReady(req, res, new HeadwayError('unavailable', 'The process is stopping.'));
      }
      if (overload.streams) return notReady(req, res, overloaded('new streams'));
      // A Redis that is read-only, full or unable to save still answers PING. This command counts as a write, but changes
      // nothing: it writes an empty string to a key that does not exist.
      const { redis, keyspace } = connection;
      await redis.setrange(`${keyspace.prefix}:{ready}`, 0, '').catch((error) => {
        if (redis.status !== 'connect') throw error;
        throw new HeadwayError(
          'unavailable',
          'Redis accepts connections, but is still loading its data (LOADING).',
        );
      });
      res.set('Cache-Control', 'no-store').json({ status: 'ready' });
    });
  return router;
}

/** Answers with 503. Nothing has failed, so nothing is logged: a load balancer asks several times. */
function notReady(req: Request, res: Response, error: HeadwayError): void {
  res
    .status(503)
    .set({ 'Cache-Control': 'no-store', 'Retry-After': '2' })
    .type('application/problem+json')
    .send(JSON.stringify(error.toProblem(basePath(req) + req.path)));
}
