import { createHash } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import type { Registry } from '../../shared/registry.js';
import { allowInlineStyles } from '../inline-styles.js';
import { asyncApiDocument } from '../openapi/asyncapi.js';
import { openApiDocument, schemasOf } from '../openapi/document.js';
import { methods } from '../problem.js';

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
    .get(served(() => openApiDocument(registry)));
  router
    .route('/asyncapi.json')
    .all(methods('GET'))
    .get(served(async () => asyncApiDocument(await schemasOf(registry))));
  if (page) {
    router
      .route('/docs')
      .all(methods('GET'))
      .get(allowInlineStyles, (_req, res) => res.sendFile('docs/index.html', { root: page }));
  }
  return router;
}

/** Answers with a document, which is made when it is first asked for and never again. */
function served(make: () => Promise<unknown>): (req: Request, res: Response) => Promise<void> {
  let made: Promise<{ body: string; etag: string }> | undefined;
  return async (_req, res) => {
    made ??= make().then((document) => {
      const body = JSON.stringify(document);
      return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
    });
    const { body, etag } = await made;
    // Express answers a request that has it already with 304.
    res.set({ ETag: etag, 'Cache-Control': 'no-cache' }).type('application/json').send(body);
  };
}
