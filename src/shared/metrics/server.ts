import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Scrape, scrape } from './registry.js';

/** The ports that are tried when none is set: the first is the one that OpenTelemetry registered for Prometheus exporters. */
const FIRST_PORT = 9464;
const PORTS = 20;
/** A request that takes longer than this to arrive is dropped, in ms. */
const REQUEST_MS = 5000;

export interface MetricsServerOptions {
  host: string;
  /** `undefined` for the first free port from 9464 to 9483; 0 for any free port. */
  port: number | undefined;
  /** Returns the metrics in the format that a client accepts. Defaults to the metrics of this process. */
  read?: (accept: string | undefined) => Promise<Scrape>;
  log: Log;
}

/** The part of the logger that is used: the room of processes imports this one. */
interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Serves `GET /metrics` on a port of its own. */
export interface MetricsServer {
  /** The address of the metrics; `undefined` if the port could not be opened. */
  url: string | undefined;
  close(): void;
}

/**
 * Opens the port of the metrics. A port that cannot be opened never keeps a process from starting: it is logged in one line,
 * and the process runs without the port.
 */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port, read = scrape, log } = options;
  const server = createServer((req, res) => void answer(req, res, read));
  server.requestTimeout = REQUEST_MS;
  server.headersTimeout = REQUEST_MS;
  server.maxConnections = 50;
  const ports = port === undefined ? Array.from({ length: PORTS }, (_, i) => FIRST_PORT + i) : [port];
  let refusal: NodeJS.ErrnoException | undefined;
  for (const each of ports) {
    refusal = await listen(server, host, each);
    if (refusal?.code !== 'EADDRINUSE') break;
  }
  let url: string | undefined;
  if (refusal) {
    const where = port ?? `${FIRST_PORT} to ${FIRST_PORT + PORTS - 1}`;
    log.warn(
      { host, port: where, code: refusal.code },
      `metrics are not served: cannot listen on METRICS_HOST ${host}, METRICS_PORT ${where} (${refusal.code})`,
    );
  } else {
    server.unref();
    const { port: bound } = server.address() as AddressInfo;
    url = `http://${host.includes(':') ? `[${host}]` : host}:${bound}/metrics`;
    log.info({ url }, 'serving metrics');
  }
  return {
    url,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** @returns the error, if the server does not listen */
const listen = (server: Server, host: string, port: number): Promise<NodeJS.ErrnoException | undefined> =>
  new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      // Else it would be called, too, when the next port is opened.
      server.off('listening', onListening);
      resolve(error);
    };
    const onListening = (): void => {
      server.off('error', onError);
      // Such as too many open files while a connection is accepted. It must not end the process.
      server.on('error', () => {});
      resolve(undefined);
    };
    server.once('error', onError).once('listening', onListening);
    server.listen({ host, port, exclusive: true });
  });

async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  read: NonNullable<MetricsServerOptions['read']>,
): Promise<void> {
  const path = req.url?.split('?', 1)[0];
  if (path !== '/metrics') return end(res, 404, 'Only /metrics is served here.\n');
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.setHeader('Allow', 'GET, HEAD');
    return end(res, 405, 'Use GET.\n');
  }
  try {
    const { contentType, body } = await read(req.headers.accept);
    res.setHeader('Cache-Control', 'no-store');
    end(res, 200, body, contentType);
  } catch (error) {
    end(res, 500, `${error}\n`);
  }
}

function end(
  res: ServerResponse,
  status: number,
  body: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  res.statusCode = status;
  // The next scrape comes long after an idle connection would be closed.
  res.setHeader('Connection', 'close');
  res.setHeader('Content-Type', contentType);
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(res.req.method === 'HEAD' ? undefined : body);
}
