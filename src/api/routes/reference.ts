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
  /** The folder of the pages; `undefined`: they are not built. */
  page: string | undefined;
}

/** `/openapi.json`, `/asyncapi.json`: what can be called and what is pushed. `/docs`: the same for people. */
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

/** Answers with a document. The last one that was made is kept: nearly always all requests have one base path. */
function served(make: (base: string) => Promise<unknown>): (req: Request, res: Response) => Promise<void> {
  let made: { base: string; document: Promise<{ body: string; etag: string }> } | undefined;
  return async (req, res) => {
    const base = basePath(req);
    if (made?.base !== base) {
      const document = make(base).then((content) => {
        const body = JSON.stringify(content);
        return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
      });
      made = { base, document };
    }
    const { body, etag } = await made.document;
    // Express answers a request that has it already with 304.
    res.set({ ETag: etag, 'Cache-Control': 'no-cache' }).type('application/json').send(body);
  };
}
