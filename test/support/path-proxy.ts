import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.js';

/** A host that shows a service below a path, as a reverse proxy does, and has nothing else. */
export interface PathProxy {
  /** The address of the host. */
  url: string;
  /** Requests for paths that are not the service's. */
  outside: string[];
  stop(): void;
}

/**
 * @param api address of the API
 * @param path below which the service is
 * @param kind `strip`: the service gets the rest of the path (nginx: `proxy_pass http://x/;`); `keep`: it gets all of it
 * (`proxy_pass http://x;`)
 */
export async function startPathProxy(api: string, path: string, kind: 'strip' | 'keep'): Promise<PathProxy> {
  const outside: string[] = [];
  const server = createServer((req, res) => {
    const url = req.url!;
    if (!url.startsWith(`${path}/`)) {
      outside.push(url);
      res.writeHead(404).end('no service is here');
      return;
    }
    // As nginx does it unless told otherwise, the service hears its own address as the host.
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
