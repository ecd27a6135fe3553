import type { IncomingMessage } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { NextFunction, Request, Response } from 'express';
import { http2StreamOf } from './over-http2.js';

/** How long a client may continue to send after it was answered, in ms. */
const LINGER_MS = 5000;
/** How many bytes a process reads to discard them: per second, and at once after a quiet time. */
const BYTES_PER_SECOND = 2 * 1024 * 1024;
const BYTES_AT_ONCE = 16 * 1024 * 1024;

let left = BYTES_AT_ONCE;
let countedAt = performance.now();

/**
 * Bounds what is read of a request that is answered before its body has arrived, such as a refused upload. Node reads the
 * rest as fast as it arrives, so that the connection can be used again: a client could keep the process busy with requests
 * that are refused. Closing the connection at once could lose the response (RFC 9112, section 9.6). Therefore the rest is
 * discarded at a bounded rate, which all connections share, and the connection is closed after `LINGER_MS`.
 */
export function boundUnreadBody(req: Request, res: Response, next: NextFunction): void {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = req.headers;
  if (coding !== undefined || length !== '0') {
    const stream = http2StreamOf(res);
    if (stream) stream.once('finish', () => endHttp2(req, stream));
    // Before Node's own listener.
    else res.prependOnceListener('finish', () => discard(req));
  }
  next();
}

/** Tells the client to send no more (RFC 9113, section 8.1). The stream closes when what has arrived is read. */
function endHttp2(req: IncomingMessage, stream: ServerHttp2Stream): void {
  if (req.complete) return;
  stream.close();
  req.unpipe();
  req.resume();
}

function discard(req: IncomingMessage): void {
  if (req.complete || req.destroyed) return;
  req.unpipe();
  const end = setTimeout(() => req.socket.destroy(), LINGER_MS).unref();
  req.once('close', () => clearTimeout(end));
  req.on('data', (chunk: Buffer) => {
    const waitMs = spend(chunk.length);
    if (waitMs === 0) return;
    req.pause();
    setTimeout(() => req.resume(), waitMs).unref();
  });
  // Node reads a body that nobody has begun to read at full speed.
  req.read(0);
  req.resume();
}

/** Counts discarded bytes. @returns how long to wait before reading more, in ms */
function spend(bytes: number): number {
  const now = performance.now();
  left = Math.min(BYTES_AT_ONCE, left + ((now - countedAt) / 1000) * BYTES_PER_SECOND) - bytes;
  countedAt = now;
  return left >= 0 ? 0 : (-left / BYTES_PER_SECOND) * 1000;
}
