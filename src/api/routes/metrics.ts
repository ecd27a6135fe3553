import { Router } from 'express';
import type { scrape } from '../../shared/metrics/registry.js';
import type { Access } from '../auth/access.js';
import { methods } from '../http/problem.js';

export interface MetricsRoutesOptions {
  access: Access;
  /** Returns the metrics: of this process, or of all processes under its supervisor. */
  scrape: typeof scrape;
}

/** `/metrics`: the metrics, for admins. The port of the metrics serves them without authentication. */
export function metricsRoutes({ access, scrape: read }: MetricsRoutesOptions): Router {
  const router = Router();
  router
    .route('/metrics')
    .all(methods('GET'))
    .get(async (req, res) => {
      await access.requireAdmin(req);
      const { contentType, body } = await read(req.get('accept'));
      // Not `send` with a string, which would change the charset parameter's place in the type.
      res.set({ 'Content-Type': contentType, 'Cache-Control': 'no-store' }).send(Buffer.from(body));
    });
  return router;
}
