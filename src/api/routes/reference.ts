import { createHash } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import type { Registry } from '../../shared/jobs/registry.js';
import { basePath } from '../http/base-path.js';
import { allowInlineStyles, openPage } from '../http/pages.js';
import { methods } from '../http/problem.js';
import { asyncApiDocument } from '../openapi/asyncapi.js';
import { openApiDocument, schemasOf } from '../openapi/document.js';

export interface ReferenceRoutesOptions {
  registry: Registry;
  /** The folder of the built pages; `undefined` when they are not built. */
  page: string | undefined;
}

/** `/openapi.json` and `/asyncapi.json`: the reference of the API and the streams. `/docs`: the same as a page. */
export function referenceRoutes({ registry, page }: ReferenceRoutesOptions): Router {
  const router = Router();
  router
    .route('/openapi.json')
    .all(methods('GET'))
    .get(served((base) => openApiDocument(registry, base)));
  router
    .route('/asyncapi.json')
    .all(methods('GET'))
    .get(served(async (base) => asyncApiDocument(await schemasOf(registry), base)));
  if (page) {
    router.route('/docs').all(methods('GET')).get(allowInlineStyles, openPage(page, 'docs/index.html'));
  }
  return router;
}

/** Returns a handler that sends a document. The latest document is kept, because requests rarely differ in base path. */
function served(create: (base: string) => Promise<unknown>): (req: Request, res: Response) => Promise<void> {
  let latest: { base: string; document: Promise<{ body: string; etag: string }> } | undefined;
  return async (req, res) => {
    const base = basePath(req);
    if (latest?.base !== base) {
      const document = create(base).then((content) => {
        const body = JSON.stringify(content);
        return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
      });
      latest = { base, document };
    }
    const { body, etag } = await latest.document;
    // Express answers with 304 when the client has the current document.
    res.set({ ETag: etag, 'Cache-Control': 'no-cache' }).type('application/json').send(body);
  };
}
