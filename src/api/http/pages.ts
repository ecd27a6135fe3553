import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Request, RequestHandler, Response } from 'express';
import { basePath } from './base-path.js';

/** Answers with one of the built pages. */
export type PageSender = (req: Request, res: Response) => Promise<void>;

/**
 * Sends a page as Vite built it. Its links are relative to its file, which is at another path than its address: they are
 * written as whole paths, below the base path of the request.
 */
export function openPage(root: string, file: string): PageSender {
  const path = join(root, file);
  return async (req, res) => {
    const html = atBasePath(await readFile(path, 'utf8'), basePath(req));
    const etag = `"${createHash('sha256').update(html).digest('base64url')}"`;
    res.set({ ETag: etag, 'Cache-Control': 'public, max-age=0' }).type('html').send(html);
  };
}

/** The pages by the paths of their files, for whoever asks for these, and `/`. They have to come before the other files. */
export function pageFiles(root: string): RequestHandler {
  const pages = new Map(
    ['index.html', 'dashboard.html', 'docs/index.html'].map((file) => [`/${file}`, openPage(root, file)]),
  );
  pages.set('/', pages.get('/index.html')!);
  return (req, res, next) => {
    const send = req.method === 'GET' || req.method === 'HEAD' ? pages.get(req.path) : undefined;
    return send ? send(req, res) : next();
  };
}

/** Links that begin with `/`, `./` or `../` lead to the service; the page reads its address from `headway-root`. */
const atBasePath = (html: string, base: string): string =>
  html
    .replace(/(\s(?:href|src)=")\.{0,2}\//g, (_all, before: string) => `${before}${base}/`)
    .replace(/(name="headway-root" content=")\//, (_all, before: string) => `${before}${base}/`);
