import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.js';

/** A reverse proxy that serves the API below a path, and nothing else. */
export interface PathProxy {
  /** The address of the proxy. */
  url: string;
  /** The requested paths outside the service. */
  outside: string[];
  stop(): void;
}

/**
 * @param api address of the API
 * @param path path below which the API is served
 * @param kind `strip`: the API gets the rest of the path (nginx: `proxy_pass http://x/;`); `keep`: the API gets the whole
 * path (`proxy_pass http://x;`)
 */
export async function startPathProxy(api: string, path: string, kind: 'strip' | 'keep'): Promise<PathProxy> {
  const outside: string[] = [];
  const server = createServer((req, res) => {
    const url = req.url!;
    if (!url.startsWith(`${path}/`)) {
      outside.push(url);
      res.writeHead(404).end('not found');
      return;
    }
    // By default, nginx sends the address of the API as the host.
    const headers = { ...req.headers, host: new URL(api).host };
    const target = kind === 'strip' ? url.slice(path.length) : url;
    const onward = request(`${api}${target}`, { method: req.method, headers }, (answer) => {
      res.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  }).listen(0, '127.0.0.1');
  await until('the proxy listens', () => server.listening);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    outside,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
