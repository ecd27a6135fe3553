import { createConnection } from 'node:net';

/** Sends one command to the Redis on a Unix socket. Resolves to the reply, or to undefined if there is none. */
export function ask(socket, command) {
  return new Promise((resolve) => {
    const connection = createConnection(socket, () => connection.write(`${command}\r\n`));
    connection.setTimeout(2000, () => connection.destroy());
    connection.once('data', (data) => {
      resolve(data.toString());
      connection.destroy();
    });
    connection.once('close', () => resolve(undefined));
    connection.on('error', () => {});
  });
}
