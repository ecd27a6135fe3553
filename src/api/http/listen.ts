import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import { StartError } from '../../shared/start-error.js';

/**
 * Limits for clients that send slowly or nothing, in ms: they hold a socket each. Uploads are exempt from the limit of a
 * request (see `watchUpload`), and open streams from all of them.
 */
export const SLOW_CLIENTS = {
  headersTimeout: 15_000,
  requestTimeout: 60_000,
  // Short, so that few connections that were opened together are closed together.
  connectionsCheckingInterval: 200,
};

/** How many connections may wait to be accepted. When an API process is replaced, all its viewers reconnect at once. */
const BACKLOG = 4096;

/**
 * Starts listening.
 * @throws StartError when the address is not available, with the setting to change
 */
export async function listen(server: Server, { PORT, HOST }: { PORT: number; HOST: string }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE')
        reject(new StartError(`PORT: ${PORT} is in use on ${HOST}; set PORT to a free port`));
      else if (error.code === 'EACCES')
        reject(new StartError(`PORT: no permission to listen on ${PORT}; set PORT above 1023`));
      else if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
        reject(new StartError(`HOST: ${HOST} is not an address of this machine`));
      else reject(error);
    });
    server.listen(PORT, HOST, BACKLOG, resolve);
  });
}

/**
 * Stops accepting connections, and leaves open ones alone. `server.close()` also destroys connections that count as idle:
 * one whose response is still being sent, because the client reads slowly, is among them.
 */
export function closeListener(server: Server): void {
  NetServer.prototype.close.call(server);
}
