import type { NextFunction, Request, Response } from 'express';

/** For pages that style their elements one by one. Scripts, requests and pictures stay those of our own origin. */
export function allowInlineStyles(_req: Request, res: Response, next: NextFunction): void {
  const policy = String(res.get('Content-Security-Policy'));
  res.set('Content-Security-Policy', `${policy};style-src 'self' 'unsafe-inline'`);
  next();
}
