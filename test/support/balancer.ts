import { createConnection, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A TCP load balancer that sends new connections only to backends whose `/readyz` answers 200. */
export interface Balancer {
  url: string;
  /** Adds a backend. Resolves when it gets connections. */
  add(url: string): Promise<void>;
  remove(url: string): void;
  stop(): void;
}

/** How often backends are checked, in ms. */
const CHECK_MS = 100;

export async function startBalancer(): Promise<Balancer> {
  const ready = new Map<string, boolean>();
  const sockets = new Set<Socket>();
  let turn = 0;
  let stopped = false;

  const check = async (url: string): Promise<void> => {
    const answer = await fetch(`${url}/readyz`, { headers: { Connection: 'close' } }).catch(() => undefined);
    await answer?.arrayBuffer().catch(() => {});
    if (ready.has(url)) ready.set(url, answer?.status === 200);
  };
  const checking = (async () => {
    while (!stopped) {
      await Promise.all([...ready.keys()].map(check));
      await sleep(CHECK_MS);
    }
  })();

  const server = createServer((client) => {
    const backends = [...ready].flatMap(([url, isReady]) => (isReady ? [url] : []));
    const url = backends[turn++ % backends.length];
    if (url === undefined) return void client.destroy();
    const { hostname, port } = new URL(url);
    const backend = createConnection(Number(port), hostname);
    for (const [socket, other] of [
      [client, backend],
      [backend, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(backend).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    async add(url) {
      ready.set(url, false);
      while (!ready.get(url)) await sleep(CHECK_MS / 2);
    },
    remove: (url) => void ready.delete(url),
    stop() {
      stopped = true;
      void checking;
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
