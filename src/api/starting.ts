import type { RequestListener } from 'node:http';
import { HeadwayError } from '../shared/errors.js';
import { RELEASE } from '../shared/process/version.js';
import { withoutBasePath } from './http/base-path.js';
import { closeConnectionAfter } from './http/over-http2.js';
import { leavingRetryMs } from './stream/waves.js';

const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * Returns the answers of a process that waits for Redis or the file storage: `/healthz` says that it runs, so that nobody restarts it. A stream is
 * ended at once with the time to reconnect, because an `EventSource` does not come back after a 503. Everything else, `/readyz`
 * included, is 503.
 * @param publicPath the path of `PUBLIC_URL`
 */
export function answerWhileStarting(publicPath: string): RequestListener {
  return (req, res) => {
    const [path = ''] = withoutBasePath(req.url ?? '', publicPath).split('?', 1);
    const isRead = req.method === 'GET' || req.method === 'HEAD';
    const send = (status: number, type: string, body: string, headers: Record<string, string> = {}): void => {
      // A kept connection would stay with this process, although another one may be ready.
      closeConnectionAfter(res);
      res.writeHead(status, { ...headers, 'Content-Type': type, 'Cache-Control': 'no-store' });
      res.end(body);
    };
    if (isRead && path === '/healthz') {
      return send(200, JSON_TYPE, JSON.stringify({ status: 'ok', version: RELEASE }));
    }
    if (req.method === 'GET' && req.headers.accept?.includes('text/event-stream')) {
      return send(
        200,
        'text/event-stream; charset=utf-8',
        `retry: ${leavingRetryMs({ viewers: 0, takenOver: false })}\n\n`,
      );
    }
    const problem = new HeadwayError(
      'unavailable',
      'The process is waiting for Redis or the file storage.',
    ).toProblem(path);
    send(503, 'application/problem+json', JSON.stringify(problem), { 'Retry-After': '2' });
  };
}
