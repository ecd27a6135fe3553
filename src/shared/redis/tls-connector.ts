import { connect as connectTls, type TLSSocket } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'ioredis';

/** How long a connection that is being closed may stay open, in ms, as in ioredis. */
const DISCONNECT_MS = 2000;

/**
 * Opens connections with TLS to one server. Unlike the connector of ioredis, it listens for every error of a socket, not only
 * for the first: a handshake that fails while the connection is closed has two, and the second would end the process.
 */
export class TlsConnector extends AbstractConnector {
  constructor(private readonly options: RedisOptions) {
    super(options.disconnectTimeout ?? DISCONNECT_MS);
  }

  override async connect(): Promise<TLSSocket> {
    const { host, port, family, tls } = this.options;
    this.connecting = true;
    // As in ioredis: the caller may disconnect in the same turn.
    await Promise.resolve();
    if (!this.connecting) throw new Error('Connection is closed.');
    // The connection to a Unix socket has no TLS.
    const place = {
      host: host ?? 'localhost',
      port: port ?? 6379,
      ...(family === undefined ? {} : { family }),
    };
    const socket = connectTls({ ...place, ...(typeof tls === 'object' ? tls : {}) });
    this.stream = socket;
    socket.on('error', (error) => {
      this.firstError = error;
    });
    return socket;
  }
}
