import { createConnection, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** A TCP proxy that can go silent without closing its connections, as a network does. */
export interface Proxy {
  port: number;
  /** From now on, existing connections carry nothing; new connections work. */
  freeze(): void;
  /** New connections go to this port from now on; existing ones stay. */
  lead(port: number): void;
  /** Resolves when a client sends this text. That connection then carries nothing more: neither the text nor what follows. */
  holdBefore(text: string): Promise<void>;
  /** Sends what is held back, and everything that follows it. */
  release(): void;
  stop(): void;
}

export async function startProxy(port: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let to = port;
  let held: { text: string; resolve: () => void } | undefined;
  const waiting: Array<() => void> = [];
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
    const gate = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        if (!held || !chunk.includes(held.text)) return done(null, chunk);
        waiting.push(() => done(null, chunk));
        held.resolve();
      },
    });
    client.pipe(gate).pipe(upstream);
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
    holdBefore: (text) =>
      new Promise((resolve) => {
        held = { text, resolve };
      }),
    release() {
      held = undefined;
      for (const send of waiting.splice(0)) send();
    },
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
