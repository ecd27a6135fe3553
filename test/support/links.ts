import { createConnection, createServer, type Socket } from 'node:net';

/** A TCP proxy in front of a port. While it is cut, it carries nothing, as a network that drops packets: no connection is closed. */
export interface Link {
  port: number;
  /** @param isCut whether connections from an address carry nothing from now on; the others carry what was held back */
  cut(isCut: (from: string) => boolean): void;
  stop(): void;
}

/** @param to returns the port, when a connection is opened */
export async function startLink(to: () => number): Promise<Link> {
  const pairs = new Set<{ client: Socket; upstream: Socket; from: string }>();
  let isCut = (_from: string): boolean => false;
  const carry = ({ client, upstream }: { client: Socket; upstream: Socket }): void => {
    client.pipe(upstream);
    upstream.pipe(client);
  };
  const server = createServer({ pauseOnConnect: true }, (client) => {
    const upstream = createConnection(to(), '127.0.0.1');
    const pair = { client, upstream, from: client.remoteAddress ?? '' };
    pairs.add(pair);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        client.destroy();
        upstream.destroy();
      });
    }
    if (!isCut(pair.from)) carry(pair);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    cut(next) {
      for (const pair of pairs) {
        const [was, is] = [isCut(pair.from), next(pair.from)];
        if (is && !was) for (const socket of [pair.client, pair.upstream]) socket.unpipe().pause();
        if (was && !is) carry(pair);
      }
      isCut = next;
    },
    stop() {
      server.close();
      for (const { client, upstream } of pairs) {
        client.destroy();
        upstream.destroy();
      }
    },
  };
}
