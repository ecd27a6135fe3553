import { setTimeout as delay } from 'node:timers/promises';
import { type Request, type Response, Router } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { FileStore } from '../../shared/files/store.js';
import type { Config } from '../../shared/process/config.js';
import { RELEASE } from '../../shared/process/version.js';
import type { Connection } from '../../shared/runtime/connection.js';
import { basePath } from '../http/base-path.js';
import { type Overload, overloaded } from '../http/overload.js';
import { methods } from '../http/problem.js';
import type { Serving } from '../http/serving.js';

export interface HealthRoutesOptions {
  config: Pick<Config, 'FILES_URL'>;
  connection: Connection;
  store: Pick<FileStore, 'check'>;
  serving: Serving;
  overload: Overload;
}

/** How long the state of the file storage is remembered, and how long it may take to answer, in ms. */
const FILES_CHECK_MS = 5000;
const FILES_ANSWER_MS = 2000;

/**
 * `/healthz`: the process is running. `/readyz`: it can serve requests, because Redis accepts writes. A file storage that does not
 * answer is reported there, but does not make the process unready: jobs and streams without files go on, and no other process
 * could do better.
 */
export function healthRoutes({ config, connection, store, serving, overload }: HealthRoutesOptions): Router {
  const router = Router();
  const files = config.FILES_URL ? watchFiles(store) : async () => undefined;
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
      // nothing: it writes an empty string to a key that does not exist. In a Cluster, it is in the slot of the jobs.
      const { redis, keyspace } = connection;
      const accepted = redis.setrange(`${keyspace.queuePrefix}.ready`, 0, '').catch((error) => {
        if (redis.status !== 'connect') throw error;
        throw new HeadwayError(
          'unavailable',
          'Redis accepts connections, but is still loading its data (LOADING).',
        );
      });
      const [state] = await Promise.all([files(), accepted]);
      res.set('Cache-Control', 'no-store').json({ status: 'ready', ...(state ? { files: state } : {}) });
    });
  return router;
}

/** Returns a function that tells whether the file storage answers. However often it is called, it seldom asks. */
function watchFiles(store: Pick<FileStore, 'check'>): () => Promise<'ok' | 'unavailable'> {
  let asked: Promise<'ok' | 'unavailable'> | undefined;
  let askedAt = 0;
  return () => {
    if (asked && performance.now() - askedAt < FILES_CHECK_MS) return asked;
    askedAt = performance.now();
    asked = Promise.race([
      store.check('answers').then(
        () => 'ok' as const,
        () => 'unavailable' as const,
      ),
      delay(FILES_ANSWER_MS, 'unavailable' as const, { ref: false }),
    ]);
    return asked;
  };
}

/** Answers with 503. Nothing has failed, so nothing is logged: a load balancer asks several times. */
function notReady(req: Request, res: Response, error: HeadwayError): void {
  res
    .status(503)
    .set({ 'Cache-Control': 'no-store', 'Retry-After': '2' })
    .type('application/problem+json')
    .send(JSON.stringify(error.toProblem(basePath(req) + req.path)));
}
