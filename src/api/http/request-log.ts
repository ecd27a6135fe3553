import type { RequestHandler } from 'express';
import { pinoHttp } from 'pino-http';
import type { Logger } from '../../shared/process/log.js';

/** Logs each request when it is answered: at `debug`, and at `error` for a status of 500 or more. Tokens are redacted. */
export function requestLog(log: Logger): RequestHandler {
  return pinoHttp({
    logger: log,
    quietReqLogger: true,
    customLogLevel: (_req, res, error) => (error || res.statusCode >= 500 ? 'error' : 'debug'),
    serializers: {
      req: (req: { method: string; url: string }) => ({ method: req.method, url: redactUrl(req.url) }),
      res: (res: { statusCode: number }) => ({ status: res.statusCode }),
      err: (error: Error) => ({ message: error.message }),
    },
  });
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

/** Whether a key of the query is `token`, even if it is percent-encoded. */
function isToken(key: string): boolean {
  try {
    return decodeURIComponent(key.replaceAll('+', ' ')).trim().toLowerCase() === 'token';
  } catch {
    return /token/i.test(key);
  }
}
