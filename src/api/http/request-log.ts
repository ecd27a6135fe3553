import type { RequestHandler } from 'express';
import type { Logger } from '../../shared/process/log.js';

/** Logs each request when it is answered: at `debug`, and at `error` for a status of 500 or more. Tokens are redacted. */
export function requestLog(log: Logger): RequestHandler {
  return (req, res, next) => {
    const { method, url } = req;
    const startedAt = performance.now();
    res.once('close', () => {
      const { statusCode: status } = res;
      const level = status >= 500 ? 'error' : 'debug';
      if (!log.isLevelEnabled(level)) return;
      const how = status >= 500 ? 'errored' : res.writableEnded ? 'completed' : 'aborted';
      const responseTime = Math.round(performance.now() - startedAt);
      log[level]({ req: { method, url: redactUrl(url) }, res: { status }, responseTime }, `request ${how}`);
    });
    next();
  };
}

/** Returns a URL without the tokens in its query. */
export function redactUrl(url: string): string {
  const [path, query] = url.split(/\?(.*)/s, 2) as [string, string | undefined];
  if (!query) return url;
  const shown = query.split('&').map((pair) => {
    const [key = ''] = pair.split('=', 1);
    return isToken(key) ? `${key}=[redacted]` : pair;
  });
  return `${path}?${shown.join('&')}`;
}

/** Whether a key of the query is `token`, also when it is percent-encoded. */
function isToken(key: string): boolean {
  try {
    return decodeURIComponent(key.replaceAll('+', ' ')).trim().toLowerCase() === 'token';
  } catch {
    return /token/i.test(key);
  }
}
