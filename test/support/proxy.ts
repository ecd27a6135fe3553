import { createConnection, createServer, type Socket } from 'node:net';

/** Something between a client and a server of TCP that can fall silent, as a network does, without closing anything. */
export interface Proxy {
  port: number;
  /** From now on the connections that are there carry nothing any more; new ones do. */
  freeze(): void;
  /** From now on new connections go to this port; those that are there stay. */
  lead(port: number): void;
  stop(): void;
}

export async function startProxy(port: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let to = port;
  const server = createServer((client) => {
    const upstream = createConnection(to, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    freeze() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    lead(port) {
      to = port;
    },
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
