import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createSecureContext, type TLSSocket } from 'node:tls';
import type { Logger } from '../../shared/process/log.js';
import type { Service } from '../../shared/process/service.js';
import { StartError } from '../../shared/start-error.js';
import { SLOW_CLIENTS } from '../http/listen.js';
import {
  type CertificateFiles,
  certificateMistakes,
  followCertificate,
  type KeyPair,
  readKeyPair,
} from './certificate.js';
import { Http2Sessions, type SessionTimes } from './sessions.js';

/** Maximum number of streams of a connection at once: a browser has one connection for all its tabs. */
const MAX_STREAMS = 250;
/** Maximum size of the headers of a request, in bytes: the same as Node's over HTTP/1. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Bytes of a request's body that may be under way. */
const BODY_WINDOW = 512 * 1024;

/** A server for HTTPS. It emits `request` for HTTP/1.1 and HTTP/2. */
export interface TlsServer {
  server: Server;
  sessions: Http2Sessions;
  /** Uses a renewed certificate for connections from then on: see {@link followCertificate}. */
  followCertificate(checkMs?: number): Service;
}

/**
 * Creates a server that speaks HTTP/2 with the clients that ask for it in the TLS handshake, and HTTP/1.1 with all others. It is
 * Node's HTTPS server, which hands the connections for HTTP/2 over: so everything that holds for HTTP/1.1 holds over TLS as well.
 * @throws StartError when the certificate cannot be used
 */
export function createTlsServer(
  files: CertificateFiles,
  onRequest: RequestListener,
  log: Logger,
  times?: SessionTimes,
): TlsServer {
  const sessions = new Http2Sessions(times);
  const server = createHttpsServer(
    {
      ...SLOW_CLIENTS,
      ...usablePair(files),
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: SLOW_CLIENTS.headersTimeout,
    },
    onRequest,
  );
  const http2 = createHttp2Server({
    maxHeaderListPairs: 200,
    settings: {
      maxConcurrentStreams: MAX_STREAMS,
      maxHeaderListSize: MAX_HEADER_BYTES,
      initialWindowSize: BODY_WINDOW,
    },
  });
  http2.on('request', (req, res) => {
    sessions.boundTime(req);
    server.emit('request', req as unknown as IncomingMessage, res as unknown as ServerResponse);
  });
  let handedOver: TLSSocket;
  http2.on('session', (session) => sessions.add(session, handedOver));
  http2.on('sessionError', (error) => log.debug({ err: error }, 'invalid HTTP/2'));

  const overHttp1 = server.listeners('secureConnection') as Array<(socket: TLSSocket) => void>;
  server.removeAllListeners('secureConnection').on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol !== 'h2') {
      for (const listener of overHttp1) listener.call(server, socket);
      return;
    }
    handedOver = socket;
    http2.emit('connection', socket);
  });

  const { closeAllConnections } = server;
  server.closeAllConnections = () => {
    sessions.destroyAll();
    closeAllConnections.call(server);
  };
  return {
    server,
    sessions,
    followCertificate: (checkMs) =>
      followCertificate(files, (pair) => server.setSecureContext(pair), log, checkMs),
  };
}

/** @throws StartError */
function usablePair(files: CertificateFiles): KeyPair {
  const mistakes = certificateMistakes(files);
  if (mistakes.length > 0) throw new StartError(mistakes.join('\n'));
  const pair = readKeyPair(files);
  try {
    createSecureContext(pair);
  } catch (error) {
    // Such as a key that is too short for OpenSSL.
    throw new StartError(`TLS_CERT: ${files.cert} cannot be used: ${(error as Error).message}`);
  }
  return pair;
}
