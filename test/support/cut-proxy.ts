import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What a fault does with a request: answers it itself, or lets it pass with a change. `withhold` passes the head of the
 * response on, and its body only when the body is complete, as a proxy that buffers does. `cutAfterMs` counts from the
 * first bytes of the body.
 */
export type Fault = (
  req: IncomingMessage,
  res: ServerResponse,
) => 'pass' | 'taken' | 'withhold' | { cutAfter: number } | { cutAfterMs: number };

/** An HTTP proxy in front of a server, with faults. Requests are passed on unchanged, so that their signatures stay valid. */
export interface CutProxy {
  url: string;
  /** Decides about each request from now on. `undefined`: all pass. */
  fault: Fault | undefined;
  /** The requests so far: method, path and query. */
  seen: string[];
  stop(): Promise<void>;
}

export async function startCutProxy(target: string): Promise<CutProxy> {
  const { hostname, port } = new URL(target);
  const server = createServer((req, res) => {
    proxy.seen.push(`${req.method} ${req.url}`);
    const verdict = proxy.fault?.(req, res) ?? 'pass';
    if (verdict === 'taken') return;
    const onward = request({ hostname, port, method: req.method, path: req.url, headers: req.headers });
    onward.on('error', () => res.destroy());
    onward.on('response', (answer) => {
      // Each connection has its own: what is cut is a chunked body, whose end is missing.
      const { connection: _own, ...headers } = answer.headers;
      res.writeHead(answer.statusCode ?? 502, headers);
      if (verdict === 'pass') return void answer.pipe(res);
      // The client has given up.
      res.on('close', () => onward.destroy());
      answer.on('error', () => res.destroy());
      if (verdict === 'withhold') {
        res.flushHeaders();
        const body: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => body.push(chunk));
        return void answer.on('end', () => res.end(Buffer.concat(body)));
      }
      if ('cutAfterMs' in verdict) {
        answer.pipe(res);
        return void answer.once('data', () => setTimeout(() => req.socket.destroy(), verdict.cutAfterMs));
      }
      let sent = 0;
      answer.on('data', (chunk: Buffer) => {
        const part = chunk.subarray(0, Math.max(0, verdict.cutAfter - sent));
        sent += chunk.length;
        res.write(part);
        if (sent >= verdict.cutAfter) setImmediate(() => req.socket.destroy());
      });
    });
    req.on('close', () => {
      if (!req.complete) onward.destroy();
    });
    req.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: CutProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault: undefined,
    seen: [],
    async stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  return proxy;
}

/** Answers a request with an error of S3, after its body has arrived. */
export function refuse(req: IncomingMessage, res: ServerResponse, status: number, code: string): 'taken' {
  req.resume();
  req.on('end', () => {
    res.writeHead(status, { 'Content-Type': 'application/xml' });
    res.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>refused by the test</Message></Error>`);
  });
  return 'taken';
}
