import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';

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
  // Before Node's own listener. HTTP/2 has a flow control for each request.
  if ((coding !== undefined || length !== '0') && req.httpVersionMajor < 2)
    res.prependOnceListener('finish', () => discard(req));
  next();
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
