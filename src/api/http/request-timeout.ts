import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** The connections whose request may take longer than the request timeout. */
const exempt = new WeakSet<Socket>();
const servers = new WeakSet<Server>();

/**
 * Exempts a request from the time limit that Node's HTTP server sets for each request (`requestTimeout`, five minutes by
 * default). The limit applies to all requests of the server, which may belong to an application, so it is not changed.
 * Node reports an exceeded limit as a `clientError` of the server, and closes the connection if nothing handles it.
 * @returns ends the exemption. Call it when the request has ended
 */
export function exemptFromRequestTimeout({ socket }: IncomingMessage): () => void {
  const { server } = socket as Socket & { server?: Server };
  if (typeof server?.emit === 'function' && !servers.has(server)) {
    servers.add(server);
    ignoreTimeouts(server);
  }
  exempt.add(socket);
  return () => void exempt.delete(socket);
}

/** Whether a request may take longer than the request timeout. */
export const isExemptFromRequestTimeout = ({ socket }: IncomingMessage): boolean => exempt.has(socket);

/** A listener could not keep other listeners, such as those of the application, from closing the connection. */
function ignoreTimeouts(server: Server): void {
  const emit = server.emit as (event: string | symbol, ...args: unknown[]) => boolean;
  server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    const [error, socket] = args as [NodeJS.ErrnoException | undefined, Socket];
    const isIgnored =
      event === 'clientError' && error?.code === 'ERR_HTTP_REQUEST_TIMEOUT' && exempt.has(socket);
    return isIgnored || emit.call(server, event, ...args);
  };
}
