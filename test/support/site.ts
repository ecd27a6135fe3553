import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.js';

/** A website that forwards unknown paths to the API, as a reverse proxy does. */
export interface TestSite {
  url: string;
  /** The paths of the open streams. */
  open: string[];
  /** Passes the head of a stream on, and its body only when it is complete, as a proxy that buffers does. */
  withholds: boolean;
  /** Returns the highest number of streams that were open at the same time. */
  most(): number;
  stop(): void;
}

const types: Record<string, string> = {
  js: 'text/javascript',
  css: 'text/css',
  html: 'text/html; charset=utf-8',
};

/**
 * @param api address of the API
 * @param pages content by path
 * @param port defaults to a free port
 */
export async function startSite(api: string, pages: Record<string, string>, port = 0): Promise<TestSite> {
  const open: string[] = [];
  let most = 0;
  const server = createServer((req, res) => {
    const path = req.url!.split('?')[0]!;
    const content = pages[path];
    if (content !== undefined) {
      res.writeHead(200, { 'Content-Type': types[path.split('.').pop()!] ?? types.html! }).end(content);
      return;
    }
    const onward = request(`${api}${req.url}`, { method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode!, answer.headers);
      const isStream = answer.headers['content-type']?.startsWith('text/event-stream');
      if (isStream && site.withholds) {
        res.flushHeaders();
        const body: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => body.push(chunk));
        answer.on('end', () => res.end(Buffer.concat(body)));
        answer.on('error', () => res.destroy());
      } else answer.pipe(res);
      if (!isStream) return;
      open.push(req.url!);
      most = Math.max(most, open.length);
      res.once('close', () => open.splice(open.indexOf(req.url!), 1));
    });
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  }).listen(port, '127.0.0.1');
  await until('the site listens', () => server.listening);
  const site: TestSite = {
    withholds: false,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open,
    most: () => most,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  return site;
}
