import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.js';

/** A call that a receiver of webhooks got. */
export interface ReceivedCall {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  /** The body as it was sent. */
  body: string;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows the data that it expects
  json: any;
}

/** A receiver's response to a call: a status, or a function that responds. */
export type Answer = number | ((res: ServerResponse) => void);

export interface Receiver {
  url: string;
  port: number;
  calls: ReceivedCall[];
  /** Waits for a number of calls. */
  called(times: number): Promise<ReceivedCall[]>;
  stop(): Promise<void>;
}

/** Never answers. */
export const silence: Answer = () => {};

/** Starts a receiver of webhooks on loopback. @param answers to the first calls, in order; later calls get 204 */
export async function startReceiver(...answers: Answer[]): Promise<Receiver> {
  const calls: ReceivedCall[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (chunk) => (body += chunk));
    req.on('end', () => {
      const answer = answers[calls.length] ?? 204;
      const { method = '', url: path = '', headers } = req;
      calls.push({ method, path, headers, body, json: body ? JSON.parse(body) : undefined });
      if (typeof answer === 'number') res.writeHead(answer).end();
      else answer(res);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    calls,
    async called(times) {
      await until(`the receiver was called ${times} times`, () => calls.length >= times);
      return calls;
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
