import type { RequestHandler } from 'express';
import { pinoHttp } from 'pino-http';
import type { Logger } from '../../shared/process/log.js';

/** Logs each request when it is answered, at `debug`; failures of ours at `error`. No token ever gets into a log. */
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

/** A URL without the token in its query. */
export function redactUrl(url: string): string {
  const [path, query] = url.split(/\?(.*)/s, 2) as [string, string | undefined];
  if (!query) return url;
  const shown = query.split('&').map((pair) => {
    const [key] = pair.split('=', 1);
    return isToken(key!) ? `${key}=[redacted]` : pair;
  });
  return `${path}?${shown.join('&')}`;
}

/** The key may be written with percent signs. */
function isToken(key: string): boolean {
  try {
    return decodeURIComponent(key.replaceAll('+', ' ')).trim().toLowerCase() === 'token';
  } catch {
    return /token/i.test(key);
  }
}
