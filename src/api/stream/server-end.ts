import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { StreamSink } from './handshake.js';
import { dismissStream, type Leaving } from './waves.js';

/** Closed streams are removed at this number of streams and at each doubling, so that streams need no listeners. */
const FIRST_CLEAN = 64;

/** The streams of a server. The server has no reference to their detached sockets, so they are ended here when it closes. */
class ServerStreams {
  private readonly open = new Set<StreamSink>();
  private closing = false;
  private cleanAt = FIRST_CLEAN;

  constructor(server: Server) {
    const { close, closeAllConnections } = server;
    server.close = (...args) => {
      this.closing = true;
      for (const sink of this.open) dismissStream(sink, this.leaving());
      return close.apply(server, args);
    };
    server.closeAllConnections = () => {
      for (const sink of this.open) sink.destroy();
      closeAllConnections.call(server);
    };
    server.on('listening', () => {
      this.closing = false;
    });
  }

  add(sink: StreamSink): void {
    if (this.closing) return dismissStream(sink, this.leaving());
    this.open.add(sink);
    if (this.open.size >= this.cleanAt) this.clean();
  }

  /** The application decides whether other processes take over. */
  private leaving(): Leaving {
    return { viewers: this.open.size, takenOver: false };
  }

  private clean(): void {
    for (const sink of this.open) if (sink.destroyed) this.open.delete(sink);
    this.cleanAt = Math.max(FIRST_CLEAN, this.open.size * 2);
  }
}

const servers = new WeakMap<Server, ServerStreams>();

function streamsOf(socket: Socket): ServerStreams | undefined {
  const { server } = socket as Socket & { server?: Server };
  if (typeof server?.closeAllConnections !== 'function') return undefined;
  let streams = servers.get(server);
  if (!streams) {
    streams = new ServerStreams(server);
    servers.set(server, streams);
  }
  return streams;
}

/** Prepares a server that receives a request for a stream: it may be closed before the stream is open. */
export const noteServer = (socket: Socket): void => void streamsOf(socket);

/** Ends a stream when the server that received its request is closed. */
export const endWithServer = (socket: Socket, sink: StreamSink): void => streamsOf(socket)?.add(sink);
