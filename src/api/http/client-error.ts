import { randomUUID } from 'node:crypto';
import { type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ErrorCode, HeadwayError } from '../../shared/errors.js';
import type { Logger } from '../../shared/process/log.js';
import type { Turns } from './turns.js';

/** Answers to errors of Node's HTTP parser, by error code. */
const KNOWN: Record<string, [status: number, code: ErrorCode, detail: string]> = {
  HPE_INVALID_EOF_STATE: [400, 'invalid-request', 'The connection ended before the request was complete.'],
  HPE_HEADER_OVERFLOW: [431, 'invalid-request', 'The request headers are too large.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'invalid-request', 'The chunk extensions are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'invalid-request', 'The request did not arrive in time.'],
};
/** Errors of a TLS handshake: also of a client that leaves during it. */
const IN_TLS = /^(ERR_SSL_|ERR_TLS_|ECONNRESET$)/;

/**
 * Answers requests that are not valid HTTP, or do not arrive in time, with a problem (RFC 9457). Node would send only a
 * status.
 */
export function answerClientErrors(server: Server, log: Logger, turns: Turns): void {
  server.on('clientError', (error: NodeJS.ErrnoException, connection) =>
    turns(() => answer(error, connection)),
  );

  function answer(error: NodeJS.ErrnoException, connection: Duplex): void {
    const socket = connection as Socket & { _httpMessage?: { headersSent: boolean } | null };
    // Another response has already started, or there is no TLS to send one over.
    if (!socket.writable || socket._httpMessage?.headersSent || IN_TLS.test(error.code ?? '')) {
      return void socket.destroy(error);
    }
    const [status, code, detail] = KNOWN[error.code ?? ''] ?? [
      400,
      'invalid-request',
      'The request is not valid HTTP. Its Content-Length may not match its body.',
    ];
    const requestId = randomUUID();
    log.debug({ requestId, status, code: error.code, address: socket.remoteAddress }, 'invalid HTTP request');
    const body = JSON.stringify({ ...new HeadwayError(code, detail).toProblem(), status, requestId });
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      `X-Request-Id: ${requestId}`,
      'Content-Type: application/problem+json',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
  }
}
