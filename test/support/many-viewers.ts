import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Many viewers of one stream. They are plain sockets, so that thousands of them are cheap. */
export interface ManyViewers {
  /** What `pick` returned for the lines that each viewer received, in order. */
  seen: unknown[][];
  close(): void;
}

/**
 * Opens streams for many viewers. Resolves when all streams have begun.
 * @param pick returns what is to be recorded of a line; `undefined` to skip it
 */
export async function openManyViewers(
  url: string,
  count: number,
  pick: (line: string) => unknown,
): Promise<ManyViewers> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const seen: unknown[][] = [];
  const sockets: Socket[] = [];
  const head = `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`;
  const PARALLEL = 200;
  async function open(): Promise<void> {
    const socket = connect(Number(port), hostname);
    const mine: unknown[] = [];
    seen.push(mine);
    sockets.push(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(head);
    let rest = '';
    await new Promise<void>((resolve) => {
      socket.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop()!;
        for (const line of lines) {
          if (line.startsWith('retry: ')) resolve();
          const picked = pick(line);
          if (picked !== undefined) mine.push(picked);
        }
      });
    });
  }
  for (let begun = 0; begun < count; begun += PARALLEL) {
    await Promise.all(Array.from({ length: Math.min(PARALLEL, count - begun) }, open));
  }
  return {
    seen,
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
