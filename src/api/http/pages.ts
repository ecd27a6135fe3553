import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { basePath } from './base-path.js';

/** Sends a built page. */
export type PageSender = (req: Request, res: Response) => Promise<void>;

/**
 * Returns a sender for a page that Vite built. The page's links are relative to its file, whose path differs from the
 * page's address: they are replaced by absolute paths below the base path of the request.
 */
export function openPage(root: string, file: string): PageSender {
  const path = join(root, file);
  return async (req, res) => {
    const html = atBasePath(await readFile(path, 'utf8'), basePath(req));
    const etag = `"${createHash('sha256').update(html).digest('base64url')}"`;
    res.set({ ETag: etag, 'Cache-Control': 'public, max-age=0' }).type('html').send(html);
  };
}

/** Serves pages at the paths of their files, and at `/`. Must come before the handler of static files. */
export function pageFiles(root: string): RequestHandler {
  const pages = new Map(
    ['index.html', 'dashboard.html', 'docs/index.html'].map((file) => [`/${file}`, openPage(root, file)]),
  );
  pages.set('/', openPage(root, 'index.html'));
  return (req, res, next) => {
    const send = req.method === 'GET' || req.method === 'HEAD' ? pages.get(req.path) : undefined;
    return send ? send(req, res) : next();
  };
}

/** Rewrites links that begin with `/`, `./` or `../`, and `headway-root`, from which a page reads the service's address. */
const atBasePath = (html: string, base: string): string =>
  html
    .replace(/(\s(?:href|src)=")\.{0,2}\//g, (_all, before: string) => `${before}${base}/`)
    .replace(/(name="headway-root" content=")\//, (_all, before: string) => `${before}${base}/`);

/** Allows inline styles, for pages that need them. Scripts, requests and images stay limited to our own origin. */
export function allowInlineStyles(_req: Request, res: Response, next: NextFunction): void {
  const policy = String(res.get('Content-Security-Policy'));
  res.set('Content-Security-Policy', `${policy};style-src 'self' 'unsafe-inline'`);
  next();
}
