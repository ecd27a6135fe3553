import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Many viewers of one stream on plain sockets, so that thousands of them are cheap. */
export interface RawViewers {
  /** For each viewer, the values that `pick` took from the lines of its stream, in order. */
  seen: unknown[][];
  close(): void;
}

/**
 * Opens `count` streams. Resolves when all of them have begun.
 * @param pick takes a value from a line of the stream; `undefined` skips the line
 */
export async function openRawViewers(
  url: string,
  count: number,
  pick: (line: string) => unknown,
): Promise<RawViewers> {
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
