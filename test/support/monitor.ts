import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/** The commands that a Redis executes, in order, each with its arguments. */
export interface Monitor {
  commands: string[][];
  close(): void;
}

/**
 * Runs MONITOR on a socket. `monitor()` of ioredis fails when a command is reported in one packet with the reply.
 * @param port of the Redis
 */
export async function startMonitor(port: number): Promise<Monitor> {
  const commands: string[][] = [];
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const lines = createInterface({ input: socket });
  lines.on('line', (line) => {
    const words = line.match(/"(?:[^"\\]|\\.)*"/g);
    if (words) commands.push(words.map((word) => word.slice(1, -1).replace(/\\(.)/g, '$1')));
  });
  socket.write('MONITOR\r\n');
  await once(lines, 'line');
  return { commands, close: () => void socket.destroy() };
}
